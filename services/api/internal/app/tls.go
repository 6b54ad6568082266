package app

import (
	"fmt"
	"log/slog"

	"github.com/queuestatetransfer/qst/services/api/internal/config"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// certificates are what the configuration names of TLS.
type certificates struct {
	listen *storage.Certificate // nil: the public listener speaks plain HTTP
	redis  storage.TLS
}

func loadCertificates(cfg config.Config, log *slog.Logger) (c certificates, err error) {
	if cfg.ListenCertFile != "" {
		if c.listen, err = storage.LoadCertificate(cfg.ListenCertFile, cfg.ListenKeyFile, log); err != nil {
			return certificates{}, fmt.Errorf("QST_LISTEN_CERT_FILE, QST_LISTEN_KEY_FILE: %w", err)
		}
	}
	c.redis, err = redisCertificates(cfg, log)
	return c, err
}

// redisCertificates are those of the connections to Redis. A worker of webhooks has no others: it has no
// public listener.
func redisCertificates(cfg config.Config, log *slog.Logger) (c storage.TLS, err error) {
	c.RootsFile = cfg.RedisRootsFile
	if cfg.RedisCertFile != "" {
		if c.Client, err = storage.LoadCertificate(cfg.RedisCertFile, cfg.RedisKeyFile, log); err != nil {
			return storage.TLS{}, fmt.Errorf("QST_REDIS_CERT_FILE, QST_REDIS_KEY_FILE: %w", err)
		}
	}
	return c, nil
}
