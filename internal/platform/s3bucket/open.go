// Package s3bucket keeps files in a bucket of S3, or of what speaks as S3 does. It does so behind
// gocloud.dev/blob, whose own way brings the whole SDK of AWS with it.
package s3bucket

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"gocloud.dev/blob"
)

// retries is how often a request is sent that found no answer.
const retries = 3

// settings are what the query of a bucket's URL may say.
type settings struct {
	region, endpoint, profile, encryption, key string
	pathStyle, plain, anonymous, dualStack     bool
}

// Open opens the bucket of a URL s3://BUCKET?region=REGION. Nothing is asked of the bucket yet.
//
// Credentials are those of the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, else of a
// profile in the shared files, else those that AWS gives a container, a service account or an
// instance.
//
// Faults:
//   - the URL names no bucket or no region
//   - a parameter is not known, or cannot be what it says
func Open(raw string) (*blob.Bucket, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return nil, errors.New("not a bucket such as s3://BUCKET?region=REGION")
	}
	s, err := parse(u.Query())
	if err != nil {
		return nil, err
	}
	host, secure, err := s.host()
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupDNS
	if s.pathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.NewCore(host, &minio.Options{
		Creds: s.credentials(), Secure: secure, Region: s.region, BucketLookup: lookup, MaxRetries: retries,
	})
	if err != nil {
		return nil, err
	}
	client.SetS3EnableDualstack(s.dualStack)
	encryption, err := s.serverSide()
	if err != nil {
		return nil, err
	}
	return blob.NewBucket(&bucket{client: *client, name: u.Host, encryption: encryption}), nil
}

func parse(query url.Values) (settings, error) {
	var s settings
	texts := map[string]*string{
		"region": &s.region, "endpoint": &s.endpoint, "profile": &s.profile, "ssetype": &s.encryption, "kmskeyid": &s.key,
	}
	// The path also holds the bucket where a host must stay as it is.
	flags := map[string]*bool{
		"use_path_style": &s.pathStyle, "s3ForcePathStyle": &s.pathStyle, "hostname_immutable": &s.pathStyle, "disable_https": &s.plain,
		"anonymous": &s.anonymous, "dualstack": &s.dualStack,
	}
	for name, values := range query {
		if text, ok := texts[name]; ok {
			*text = values[0]
			continue
		}
		flag, ok := flags[name]
		if !ok {
			return s, fmt.Errorf("the bucket's URL has a parameter %q, which is not known", name)
		}
		set, err := strconv.ParseBool(values[0])
		if err != nil {
			return s, fmt.Errorf("the parameter %q of the bucket's URL is neither true nor false", name)
		}
		*flag = *flag || set
	}
	if s.region == "" {
		return s, errors.New("the bucket's URL names no region")
	}
	return s, nil
}

// host is where the bucket is asked, and whether by TLS.
func (s settings) host() (host string, secure bool, err error) {
	if s.endpoint == "" {
		return "s3.amazonaws.com", !s.plain, nil
	}
	u, err := url.Parse(s.endpoint)
	if err == nil && u.Host == "" {
		u, err = url.Parse("https://" + s.endpoint)
	}
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") || (u.Path != "" && u.Path != "/") {
		return "", false, errors.New("the endpoint of the bucket's URL is not https://HOST")
	}
	return u.Host, u.Scheme == "https" && !s.plain, nil
}

func (s settings) credentials() *credentials.Credentials {
	if s.anonymous {
		return credentials.NewStaticV4("", "", "")
	}
	shared := &credentials.FileAWSCredentials{Profile: s.profile}
	if s.profile != "" {
		return credentials.New(shared)
	}
	return credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, shared, &credentials.IAM{}})
}

// serverSide is how S3 encrypts what it keeps; nil is as the bucket is set.
func (s settings) serverSide() (encrypt.ServerSide, error) {
	switch s.encryption {
	case "":
		return nil, nil //nolint:nilnil // nothing is asked for
	case "AES256":
		return encrypt.NewSSE(), nil
	case "aws:kms":
		return encrypt.NewSSEKMS(s.key, nil)
	default:
		return nil, errors.New("the ssetype of the bucket's URL is neither AES256 nor aws:kms")
	}
}
