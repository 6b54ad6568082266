// Package app puts a replica of the service together, runs it, and takes it
// apart in the right order. Its tests are the service's end-to-end tests: they
// drive what main runs.
package app
