package config

import (
	"errors"
	"io"
	"os"
	"strings"

	"diresco/internal/platform/secret"
)

// fileSuffix ends the name of a variable that holds the path of a file with a secret.
const fileSuffix = "_FILE"

// maxFile is how large such a file may be.
const maxFile = 64 << 10

// readFiles puts the contents of the files that are named into the values, by the names of the
// secrets. Spaces and ends of lines around a secret do not count.
func readFiles(values map[string]string) []error {
	var wrong []error
	for _, v := range variables() {
		name, path := prefix+v.name, values[prefix+v.name+fileSuffix]
		switch {
		case !v.secret || path == "":
		case values[name] != "":
			wrong = append(wrong, errors.New(name+" and "+name+fileSuffix+": set one of the two"))
		default:
			content, err := readSecret(path)
			if err != nil {
				wrong = append(wrong, wrongValue(v.name+fileSuffix, err.Error()))
				continue
			}
			values[name] = content
		}
	}
	return wrong
}

// RereadKeys returns the keys for data at rest as their file holds them now, if there is one.
func (c *Config) RereadKeys() (secret.Text, error) {
	if c.dataKeysFile == "" {
		return c.DataKeys, nil
	}
	content, err := readSecret(c.dataKeysFile)
	if err != nil {
		return "", wrongValue("DATA_KEYS"+fileSuffix, err.Error())
	}
	return secret.Text(content), nil
}

// readSecret returns what a file holds. Its errors name no path: by mistake it could be the secret.
func readSecret(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the administrator's own path
	if err != nil {
		return "", errors.New("must be the path of a file that can be read")
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	text := strings.TrimSpace(string(content))
	switch {
	case err != nil:
		return "", errors.New("must be the path of a file that can be read")
	case len(content) > maxFile:
		return "", errors.New("names a file that is too large for a secret")
	case text == "":
		return "", errors.New("names a file that is empty")
	}
	return text, nil
}
