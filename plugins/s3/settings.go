package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/sluicehq/sluice/plugins/destination/redact"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile"
	"github.com/sluicehq/sluice/plugins/internal/part"
	"github.com/sluicehq/sluice/plugins/internal/placeholder"
)

// settings are what an operator writes under config.
type settings struct {
	Bucket          string `json:"bucket" jsonschema:"minLength=3,description=The bucket. It must be there."`
	Endpoint        string `json:"endpoint,omitempty" jsonschema:"default=https://s3.amazonaws.com,description=Address of the store\\, with https:// or http://. Default: Amazon S3."`
	Region          string `json:"region,omitempty" jsonschema:"description=Region of the bucket. Default: asked for at Amazon S3\\, us-east-1 elsewhere."`
	PathStyle       bool   `json:"path_style,omitempty" jsonschema:"default=false,description=Put the bucket into the path instead of the host name\\, as MinIO and most private stores need."`
	Credentials     string `json:"credentials,omitempty" jsonschema:"enum=auto,enum=static,enum=env,enum=role,enum=none,description=Where credentials come from. Default: static with an access key\\, else auto (env\\, then role)."`
	AccessKeyID     string `json:"access_key_id,omitempty" jsonschema:"description=Access key."`
	SecretAccessKey string `json:"secret_access_key,omitempty" jsonschema:"writeOnly=true,description=Secret of the access key."`
	SessionToken    string `json:"session_token,omitempty" jsonschema:"writeOnly=true,description=Token that goes with a temporary access key."`
	Layout          string `json:"layout,omitempty" jsonschema:"description=Key of an object. Placeholders: {object} {source} {company_id} {integration} {model} {date} {hour} {part}. Default: {object}/{date}/{part} and an ending."`
	Format          string `json:"format,omitempty" jsonschema:"enum=jsonl,enum=parquet,default=jsonl,description=Format of the files."`
	Compression     string `json:"compression,omitempty" jsonschema:"enum=none,enum=gzip,enum=zstd,description=Compression of JSONL. Default: gzip. Parquet compresses by itself."`
	Decimal         string `json:"decimal,omitempty" jsonschema:"description=Precision and scale of numbers in Parquet\\, such as 38\\,9. Without it numbers are text\\, exact at any length."`
	Overwrite       *bool  `json:"overwrite,omitempty" jsonschema:"default=true,description=Write an object again when its batch comes again; false sends If-None-Match and keeps the first."`
	Encryption      string `json:"encryption,omitempty" jsonschema:"enum=none,enum=s3,enum=kms,default=none,description=Server-side encryption to ask for. none leaves it to the bucket."`
	KMSKeyID        string `json:"kms_key_id,omitempty" jsonschema:"description=Key for encryption kms. Default: the account's key for S3."`
	StorageClass    string `json:"storage_class,omitempty" jsonschema:"description=Storage class\\, such as STANDARD_IA. Default: the bucket's."`
	PartSizeMiB     int    `json:"part_size_mib,omitempty" jsonschema:"minimum=5,maximum=1024,default=16,description=Objects larger than this are uploaded in parts of this size (MiB)."`
	Timeout         string `json:"timeout,omitempty" jsonschema:"default=60s,description=How long the store may take to answer a request."`
}

// options are settings with their defaults, checked.
type options struct {
	bucket      string
	layout      placeholder.Path
	form        part.Form
	compression string
	endpoint    *url.URL
	client      minio.Options
	put         minio.PutObjectOptions
	timeout     time.Duration
	secrets     *secrets
}

const defaultEndpoint = "https://s3.amazonaws.com"

// parseSettings quotes no secret in its errors.
func parseSettings(raw json.RawMessage) (options, error) {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return options{}, err
	}
	o := options{bucket: s.Bucket, timeout: time.Minute, secrets: &secrets{settings: redact.New(s.SecretAccessKey, s.SessionToken)}}
	if len(s.Bucket) < 3 || strings.ContainsAny(s.Bucket, "/: ") {
		return options{}, errors.New(`setting "bucket": give the name of the bucket, without an address or a path`)
	}
	if err := o.parseFormat(&s); err != nil {
		return options{}, err
	}
	if err := o.parseAddress(&s); err != nil {
		return options{}, err
	}
	if err := o.parseCredentials(&s); err != nil {
		return options{}, err
	}
	if err := o.parsePut(&s); err != nil {
		return options{}, err
	}
	if s.Timeout != "" {
		if o.timeout, err = time.ParseDuration(s.Timeout); err != nil || o.timeout < time.Second {
			return options{}, errors.New(`setting "timeout": give a duration of a second or more, such as 60s`)
		}
	}
	return o, nil
}

func (o *options) parseFormat(s *settings) (err error) {
	ending := ".parquet"
	switch s.Format {
	case "", "jsonl":
		o.compression, ending = "gzip", ".jsonl"
		if s.Compression != "" {
			o.compression = s.Compression
		}
		suffix, ok := map[string]string{"none": "", "gzip": ".gz", "zstd": ".zst"}[o.compression]
		if !ok {
			return errors.New(`setting "compression": use none, gzip or zstd`)
		}
		ending += suffix
		if s.Decimal != "" {
			return errors.New(`setting "decimal": it is for format parquet; in JSONL numbers keep their text`)
		}
	case "parquet":
		o.form.Parquet = true
		if s.Compression != "" {
			return errors.New(`setting "compression": Parquet compresses by itself; leave it out`)
		}
		if o.form.Decimal, err = parquetfile.ParseDecimal(s.Decimal); err != nil {
			return fmt.Errorf(`setting "decimal": %w`, err)
		}
	default:
		return errors.New(`setting "format": use jsonl or parquet`)
	}
	layout := s.Layout
	if layout == "" {
		layout = "{object}/{date}/{part}" + ending
	}
	if o.layout, err = placeholder.ParsePath(layout, "part"); err != nil {
		return fmt.Errorf(`setting "layout": %w`, err)
	}
	if !o.layout.Uses("part") {
		return errors.New(`setting "layout": it needs {part}, so that one batch does not replace another's object`)
	}
	if !o.layout.Uses("object", "model") {
		return errors.New(`setting "layout": it needs {object} or {model}, so that objects do not mix`)
	}
	return nil
}

func (o *options) parseAddress(s *settings) error {
	text := s.Endpoint
	if text == "" {
		text = defaultEndpoint
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return errors.New(`setting "endpoint": give the address of the store alone, such as https://minio.example.com:9000`)
	}
	o.endpoint = u
	o.client.Secure = u.Scheme == "https"
	o.client.Region = s.Region
	o.client.BucketLookup = minio.BucketLookupDNS
	if s.PathStyle {
		o.client.BucketLookup = minio.BucketLookupPath
	}
	if s.Endpoint == "" {
		o.client.BucketLookup = minio.BucketLookupAuto
	} else if s.Region == "" && !strings.HasSuffix(u.Hostname(), ".amazonaws.com") {
		o.client.Region = "us-east-1"
	}
	return nil
}

func (o *options) parseCredentials(s *settings) error {
	kind := s.Credentials
	if kind == "" {
		kind = "auto"
		if s.AccessKeyID != "" || s.SecretAccessKey != "" {
			kind = "static"
		}
	}
	if kind == "static" && (s.AccessKeyID == "" || s.SecretAccessKey == "") {
		return errors.New(`settings "access_key_id" and "secret_access_key": static credentials need both`)
	}
	if kind != "static" && (s.AccessKeyID != "" || s.SecretAccessKey != "" || s.SessionToken != "") {
		return fmt.Errorf(`setting "credentials": %s does not go with an access key in the settings`, kind)
	}
	var from []source
	switch kind {
	case "static":
		o.client.Creds = credentials.NewStaticV4(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)
		return nil
	case "env":
		from = []source{environment()}
	case "role":
		from = []source{role(s.Region)}
	case "auto":
		from = []source{environment(), role(s.Region)}
	case "none":
		o.client.Creds = credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
		return nil
	default:
		return errors.New(`setting "credentials": use auto, static, env, role or none`)
	}
	o.client.Creds = credentials.New(&sources{list: from, secrets: o.secrets})
	return nil
}

func (o *options) parsePut(s *settings) error {
	o.put = minio.PutObjectOptions{
		StorageClass: s.StorageClass, SendContentMd5: true, PartSize: 16 << 20, ContentType: "application/vnd.apache.parquet",
	}
	if !o.form.Parquet {
		// The content is the compressed file: with a content encoding clients would
		// unpack it and find an ending that lies.
		o.put.ContentType = map[string]string{
			"none": "application/x-ndjson", "gzip": "application/gzip", "zstd": "application/zstd",
		}[o.compression]
	}
	if s.PartSizeMiB != 0 {
		if s.PartSizeMiB < 5 || s.PartSizeMiB > 1024 {
			return errors.New(`setting "part_size_mib": use 5 to 1024`)
		}
		o.put.PartSize = uint64(s.PartSizeMiB) << 20
	}
	if s.Overwrite != nil && !*s.Overwrite {
		o.put.SetMatchETagExcept("*")
	}
	if s.KMSKeyID != "" && s.Encryption != "kms" {
		return errors.New(`setting "kms_key_id": it is for encryption kms`)
	}
	switch s.Encryption {
	case "", "none":
	case "s3":
		o.put.ServerSideEncryption = encrypt.NewSSE()
	case "kms":
		kms, err := encrypt.NewSSEKMS(s.KMSKeyID, nil)
		if err != nil {
			return fmt.Errorf(`setting "kms_key_id": %w`, err)
		}
		o.put.ServerSideEncryption = kms
	default:
		return errors.New(`setting "encryption": use none, s3 or kms`)
	}
	return nil
}
