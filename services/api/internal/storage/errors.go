package storage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrUnavailable is returned when Redis can't be reached, or can't do now what
	// was asked. Whether a write happened is not known.
	ErrUnavailable = errors.New("storage is unavailable")
	// ErrUnsuitable is returned by [Prepare] and [Check] for a Redis that must not be
	// used as it is: it would lose messages, or holds data in another layout.
	ErrUnsuitable = errors.New("this Redis can't be used")

	errReplicas = errors.New("too few Redis replicas have the write")
	errGone     = errors.New("the node has left the Cluster")
	errClosed   = errors.New("the runner is closed")
	errWaited   = errors.New("no free place for the command in time")
)

// Unavailable wraps an error of Redis, or of the way to it, in ErrUnavailable. An
// error that says that a command is wrong is a defect instead, and stays as it is.
func Unavailable(err error) error {
	if err == nil {
		return nil
	}
	var reply redis.Error
	if errors.As(err, &reply) && (strings.HasPrefix(reply.Error(), "ERR ") || redis.HasErrorPrefix(err, "WRONGTYPE")) &&
		!redis.HasErrorPrefix(err, "max number of clients") {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
