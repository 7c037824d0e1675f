package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/placeholder"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// settings are what an operator writes under config.
type settings struct {
	Brokers     []string `json:"brokers" jsonschema:"minItems=1,description=Brokers to start from\\, as host:port. The others are found through them."`
	Topic       string   `json:"topic,omitempty" jsonschema:"default={object},description=Topic of a record. Placeholders: {object} {source} {company_id} {integration} {model} {date} {hour}."`
	Delete      string   `json:"delete,omitempty" jsonschema:"enum=hard,enum=soft,default=hard,description=What a delete becomes: hard is a tombstone (null value); soft is a message with _deleted_at."`
	SASL        string   `json:"sasl,omitempty" jsonschema:"enum=none,enum=plain,enum=scram-sha-256,enum=scram-sha-512,default=none,description=How to log in."`
	Username    string   `json:"username,omitempty" jsonschema:"description=User for SASL."`
	Password    string   `json:"password,omitempty" jsonschema:"writeOnly=true,description=Password for SASL."`
	TLS         bool     `json:"tls,omitempty" jsonschema:"default=false,description=Connect with TLS. Implied by tls_ca and tls_cert."`
	TLSCA       string   `json:"tls_ca,omitempty" jsonschema:"description=Certificates (PEM) that sign those of the brokers\\, instead of the system's."`
	TLSCert     string   `json:"tls_cert,omitempty" jsonschema:"description=Client certificate (PEM) for mutual TLS."`
	TLSKey      string   `json:"tls_key,omitempty" jsonschema:"writeOnly=true,description=Private key (PEM) of the client certificate."`
	Compression string   `json:"compression,omitempty" jsonschema:"enum=none,enum=gzip,enum=snappy,enum=lz4,enum=zstd,default=snappy,description=Compression of batches of messages."`
	MaxBytes    int      `json:"max_message_bytes,omitempty" jsonschema:"minimum=1024,maximum=104857600,default=1000000,description=Largest message\\, before compression. A larger one is rejected."`
	Timeout     string   `json:"timeout,omitempty" jsonschema:"default=20s,description=How long a message may wait for its acknowledgement."`
	Create      bool     `json:"create_topics,omitempty" jsonschema:"default=false,description=Create topics that are missing."`
	Partitions  int32    `json:"partitions,omitempty" jsonschema:"minimum=1,description=Partitions of topics that are created. Default: as the brokers say."`
	Replication int16    `json:"replication_factor,omitempty" jsonschema:"minimum=1,description=Replicas of topics that are created. Default: as the brokers say."`
	Cleanup     string   `json:"cleanup_policy,omitempty" jsonschema:"enum=delete,enum=compact,enum=compact\\,delete,description=cleanup.policy of topics that are created. Default: compact for records\\, delete for changes and events."`
}

// options are settings with their defaults, checked.
type options struct {
	client  []kgo.Opt
	topic   placeholder.Template
	soft    bool
	max     int
	timeout time.Duration
	create  bool
	cleanup string
	parts   int32 // -1: as the brokers say
	copies  int16 // -1: as the brokers say
}

// parseSettings quotes no secret in its errors.
func parseSettings(raw json.RawMessage) (options, error) {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return options{}, err
	}
	o := options{max: 1_000_000, timeout: 20 * time.Second, create: s.Create, cleanup: s.Cleanup, parts: -1, copies: -1}
	if len(s.Brokers) == 0 {
		return options{}, errors.New(`setting "brokers": give at least one, as host:port`)
	}
	for i, broker := range s.Brokers {
		if !isAddress(broker) {
			return options{}, fmt.Errorf(`setting "brokers": element %d is not host:port`, i+1)
		}
	}
	if s.Topic == "" {
		s.Topic = "{object}"
	}
	if o.topic, err = parseTopic(s.Topic); err != nil {
		return options{}, fmt.Errorf(`setting "topic": %w`, err)
	}
	switch s.Delete {
	case "", "hard":
	case "soft":
		o.soft = true
	default:
		return options{}, errors.New(`setting "delete": use hard or soft`)
	}
	if s.MaxBytes != 0 {
		if o.max = s.MaxBytes; o.max < 1024 || o.max > 100<<20 {
			return options{}, errors.New(`setting "max_message_bytes": use 1024 to 104857600`)
		}
	}
	if s.Timeout != "" {
		if o.timeout, err = time.ParseDuration(s.Timeout); err != nil || o.timeout < time.Second {
			return options{}, errors.New(`setting "timeout": give a duration of a second or more, such as 20s`)
		}
	}
	if s.Partitions < 0 || s.Replication < 0 {
		return options{}, errors.New(`settings "partitions" and "replication_factor": use 1 or more`)
	}
	if s.Partitions > 0 {
		o.parts = s.Partitions
	}
	if s.Replication > 0 {
		o.copies = s.Replication
	}
	if s.Cleanup != "" && !slices.Contains([]string{"delete", "compact", "compact,delete"}, s.Cleanup) {
		return options{}, errors.New(`setting "cleanup_policy": use delete, compact or compact,delete`)
	}
	o.client = []kgo.Opt{kgo.SeedBrokers(s.Brokers...)}
	for _, part := range []func(settings) ([]kgo.Opt, error){compression, login, encryption} {
		more, err := part(s)
		if err != nil {
			return options{}, err
		}
		o.client = append(o.client, more...)
	}
	return o, nil
}

func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || strings.ContainsAny(host, "@/ ") {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func compression(s settings) ([]kgo.Opt, error) {
	codec, ok := map[string]kgo.CompressionCodec{
		"": kgo.SnappyCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[s.Compression]
	if !ok {
		return nil, errors.New(`setting "compression": use none, gzip, snappy, lz4 or zstd`)
	}
	return []kgo.Opt{kgo.ProducerBatchCompression(codec)}, nil
}

func login(s settings) ([]kgo.Opt, error) {
	if s.SASL == "" || s.SASL == "none" {
		if s.Username != "" || s.Password != "" {
			return nil, errors.New(`setting "sasl": say how to use username and password: plain, scram-sha-256 or scram-sha-512`)
		}
		return nil, nil
	}
	if s.Username == "" || s.Password == "" {
		return nil, fmt.Errorf(`setting "sasl": %s needs username and password`, s.SASL)
	}
	var m sasl.Mechanism
	switch s.SASL {
	case "plain":
		m = plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism()
	case "scram-sha-256":
		m = scram.Auth{User: s.Username, Pass: s.Password}.AsSha256Mechanism()
	case "scram-sha-512":
		m = scram.Auth{User: s.Username, Pass: s.Password}.AsSha512Mechanism()
	default:
		return nil, errors.New(`setting "sasl": use none, plain, scram-sha-256 or scram-sha-512`)
	}
	return []kgo.Opt{kgo.SASL(m)}, nil
}

func encryption(s settings) ([]kgo.Opt, error) {
	if !s.TLS && s.TLSCA == "" && s.TLSCert == "" && s.TLSKey == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLSCA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(s.TLSCA)) {
			return nil, errors.New(`setting "tls_ca": there is no certificate in PEM in it (to read a file, write "${file:ca.pem}")`)
		}
	}
	if s.TLSCert != "" || s.TLSKey != "" {
		pair, err := tls.X509KeyPair([]byte(s.TLSCert), []byte(s.TLSKey))
		if err != nil { // which never quotes the key
			return nil, fmt.Errorf(`settings "tls_cert" and "tls_key": %w`, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return []kgo.Opt{kgo.DialTLSConfig(c)}, nil
}
