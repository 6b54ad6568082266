package app

import (
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/config"
)

// Check reads what the configuration names, as New does, without opening a listener or a
// connection. So a configuration can be checked before a replica is started with it.
func Check(cfg config.Config) error {
	if cfg.BootstrapFile != "" {
		if _, err := access.LoadBootstrap(cfg.BootstrapFile); err != nil {
			return err
		}
	}
	if address := cfg.RedisURL.Reveal(); address != config.EmbeddedRedis {
		// Without idle connections it opens none until it is used.
		client, err := newClient(address, cfg.RedisCluster, pool{size: 1, timeout: cfg.RedisTimeout})
		if err != nil {
			return err
		}
		_ = client.Close() // nothing is in flight
	}
	return nil
}
