// Package storage is the way to Redis: which keys there are ([Layout]), how Lua
// scripts run ([Runner]), how the service connects ([Connect]), what a Redis must be
// like ([Prepare]), and what it means when Redis can't serve ([ErrUnavailable]).
//
// The packages queue and access use storage; storage knows neither.
package storage
