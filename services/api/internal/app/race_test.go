//go:build race

package app_test

// raceEnabled: these tests run with the race detector, so the service does, too.
const raceEnabled = true
