package app

import (
	"fmt"
	"log/slog"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/config"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// Check reads what the configuration names, as New does, without opening a listener or a
// connection. So a configuration can be checked before a replica is started with it.
func Check(cfg config.Config) error {
	if cfg.BootstrapFile != "" {
		if _, err := access.LoadBootstrap(cfg.BootstrapFile); err != nil {
			return err
		}
	}
	certs, err := loadCertificates(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if address := cfg.RedisURL.Reveal(); address != config.EmbeddedRedis {
		// Without idle connections it opens none until it is used.
		client, err := storage.Connect(storage.Connection{URL: address, Cluster: cfg.RedisCluster, Connections: 1, Timeout: cfg.RedisTimeout, TLS: certs.redis})
		if err != nil {
			return fmt.Errorf("QST_REDIS_URL: %w: see docs/configuration.md", err)
		}
		_ = client.Close() // nothing is in flight
	}
	return nil
}
