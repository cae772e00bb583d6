package attachment

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5" //nolint:gosec // what the format asks for
	"crypto/rc4" //nolint:gosec // what the format asks for
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"regexp"
	"slices"
	"strconv"
)

var (
	encryption = regexp.MustCompile(`/Encrypt\s*(?:([0-9]{1,10})\s+([0-9]{1,5})\s+R|<<)`)
	identifier = regexp.MustCompile(`/ID\s*\[`)
)

// asksForPassword reports whether a PDF opens only with a password, or for who has a certificate
// (ISO 32000-2, 7.6). One that everybody may open and not change does not. What cannot be read is
// not refused for that.
func asksForPassword(file []byte) bool {
	all := encryption.FindAllSubmatchIndex(file, -1)
	if len(all) == 0 {
		return false
	}
	at := all[len(all)-1]
	var dictionary map[string]any
	if at[2] < 0 {
		dictionary = dictionaryAt(file[at[1]-2:])
	} else {
		object := regexp.MustCompile(`(?:^|\s)` + string(file[at[2]:at[3]]) + `\s+` + string(file[at[4]:at[5]]) + `\s+obj\s*`)
		if places := object.FindAllIndex(file, -1); len(places) > 0 {
			dictionary = dictionaryAt(file[places[len(places)-1][1]:])
		}
	}
	switch filter, _ := dictionary["Filter"].(name); filter {
	case "":
		return false
	case "Standard":
		e, ok := readEncryption(dictionary, firstID(file, at[0]))
		return ok && !e.opens()
	default:
		return true
	}
}

const (
	// nearby is how far from the encryption its identifier is looked for, in bytes. Both stand in
	// one dictionary.
	nearby = 64 << 10
	// mostIdentifiers is how many are looked at. One that does not end is read to the end of the
	// file.
	mostIdentifiers = 8
)

// firstID returns the first part of the identifier that stands nearest to a place.
func firstID(file []byte, to int) []byte {
	from := max(0, to-nearby)
	to -= from
	part := file[from:]
	places := identifier.FindAllIndex(part[:min(len(part), to+nearby)], -1)
	slices.SortStableFunc(places, func(a, b []int) int { return cmp.Compare(max(a[0]-to, to-a[0]), max(b[0]-to, to-b[0])) })
	for _, place := range places[:min(len(places), mostIdentifiers)] {
		p := parser{part[place[1]:]}
		if value, ok := p.value(1).([]byte); ok {
			return value
		}
	}
	return nil
}

// encrypted is how a PDF is encrypted by a password.
type encrypted struct {
	revision, keyLength int64
	owner, user, id     []byte
	permissions         int64
	metadata            bool
}

func readEncryption(d map[string]any, id []byte) (encrypted, bool) {
	e := encrypted{id: id, metadata: true, keyLength: 5}
	version, _ := d["V"].(int64)
	e.revision, _ = d["R"].(int64)
	e.permissions, _ = d["P"].(int64)
	e.owner, _ = d["O"].([]byte)
	e.user, _ = d["U"].([]byte)
	if told, ok := d["EncryptMetadata"].(bool); ok {
		e.metadata = told
	}
	const bitsInByte = 8
	if bits, ok := d["Length"].(int64); ok && version > 1 {
		e.keyLength = bits / bitsInByte
	}
	if version == 4 {
		e.keyLength = 16
	}
	const shortest = 32
	known := e.revision >= 2 && e.revision <= 6 && e.keyLength >= 5 && (e.keyLength <= 16 || e.revision >= 5)
	return e, known && len(e.user) >= shortest && len(e.owner) >= shortest && (e.revision < 5 || len(e.user) >= 48)
}

// padding stands for what is missing of a password of 32 bytes.
var padding = []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08" +
	"\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A")

// opens reports whether an empty password opens it.
func (e encrypted) opens() bool {
	switch e.revision {
	case 2:
		return bytes.Equal(stream(e.key(), padding), e.user[:32])
	case 3, 4:
		key := e.key()
		sum := md5.Sum(slices.Concat(padding, e.id)) //nolint:gosec // as above
		value := sum[:]
		for round := range byte(20) {
			turned := slices.Clone(key)
			for i := range turned {
				turned[i] ^= round
			}
			value = stream(turned, value)
		}
		return bytes.Equal(value, e.user[:16])
	case 5:
		sum := sha256.Sum256(e.user[32:40])
		return bytes.Equal(sum[:], e.user[:32])
	default:
		return bytes.Equal(hash(e.user[32:40]), e.user[:32])
	}
}

// key is made from an empty password (algorithm 2).
func (e encrypted) key() []byte {
	text := slices.Concat(padding, e.owner[:32])
	text = binary.LittleEndian.AppendUint32(text, uint32(e.permissions)) //nolint:gosec // 32 bits with a sign, or without
	text = append(text, e.id...)
	if e.revision >= 4 && !e.metadata {
		text = append(text, 0xFF, 0xFF, 0xFF, 0xFF)
	}
	sum := md5.Sum(text) //nolint:gosec // as above
	if e.revision >= 3 {
		for range 50 {
			sum = md5.Sum(sum[:e.keyLength]) //nolint:gosec // as above
		}
	}
	return sum[:e.keyLength]
}

func stream(key, text []byte) []byte {
	out := make([]byte, len(text))
	if c, err := rc4.NewCipher(key); err == nil { //nolint:gosec // as above
		c.XORKeyStream(out, text)
	}
	return out
}

// hash is algorithm 2.B for an empty password.
func hash(salt []byte) []byte {
	first := sha256.Sum256(salt)
	k := first[:]
	for round := 0; ; round++ {
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		text := bytes.Repeat(k, 64)
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(text, text)
		rest := 0
		for _, b := range text[:16] {
			rest += int(b)
		}
		switch rest % 3 {
		case 0:
			sum := sha256.Sum256(text)
			k = sum[:]
		case 1:
			sum := sha512.Sum384(text)
			k = sum[:]
		default:
			sum := sha512.Sum512(text)
			k = sum[:]
		}
		if round >= 63 && int(text[len(text)-1]) <= round-31 {
			return k[:32]
		}
	}
}

// name is a name in a PDF, without its stroke.
type name string

func dictionaryAt(b []byte) map[string]any {
	p := parser{b}
	d, _ := p.value(mostDeep).(map[string]any)
	return d
}

// parser reads values of a PDF from the beginning of what is left.
type parser struct{ left []byte }

const (
	// mostDeep is how deep one value may lie in others, mostMembers how many one may have.
	mostDeep    = 5
	mostMembers = 200
	blanks      = "\x00\t\n\f\r "
	delimiters  = "()<>[]{}/%"
)

// value reads a name, a number, a truth value, a text, an array or a dictionary. Anything else is
// nil.
func (p *parser) value(deep int) any {
	p.left = bytes.TrimLeft(p.left, blanks)
	switch {
	case len(p.left) == 0 || deep == 0:
		return nil
	case bytes.HasPrefix(p.left, []byte("<<")):
		p.left = p.left[2:]
		return p.dictionary(deep - 1)
	case p.left[0] == '<':
		return p.hexadecimal()
	case p.left[0] == '(':
		return p.literal()
	case p.left[0] == '[':
		p.left = p.left[1:]
		for range mostMembers {
			if p.left = bytes.TrimLeft(p.left, blanks); len(p.left) == 0 || p.left[0] == ']' {
				break
			}
			before := len(p.left)
			if p.value(deep - 1); len(p.left) == before {
				break
			}
		}
		p.left = bytes.TrimPrefix(p.left, []byte("]"))
		return nil
	case p.left[0] == '/':
		p.left = p.left[1:]
		return name(p.word())
	}
	switch word := p.word(); word {
	case "true", "false":
		return word == "true"
	default:
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			return n
		}
		return nil
	}
}

// word reads up to a blank or a delimiter.
func (p *parser) word() string {
	end := bytes.IndexAny(p.left, blanks+delimiters)
	if end < 0 {
		end = len(p.left)
	}
	word := string(p.left[:end])
	p.left = p.left[end:]
	return word
}

func (p *parser) dictionary(deep int) map[string]any {
	d := map[string]any{}
	for range mostMembers {
		p.left = bytes.TrimLeft(p.left, blanks)
		if len(p.left) == 0 || bytes.HasPrefix(p.left, []byte(">>")) {
			break
		}
		if p.left[0] != '/' {
			// The rest of a reference to another object.
			if before := len(p.left); p.value(deep) == nil && len(p.left) == before {
				break
			}
			continue
		}
		p.left = p.left[1:]
		key := p.word()
		if _, twice := d[key]; !twice {
			d[key] = p.value(deep)
		}
	}
	p.left = bytes.TrimPrefix(p.left, []byte(">>"))
	return d
}

func (p *parser) hexadecimal() []byte {
	end := bytes.IndexByte(p.left, '>')
	if end < 0 {
		p.left = nil
		return nil
	}
	var out []byte
	var high, digits int
	for _, b := range p.left[1:end] {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), b|0x20)
		if b < '0' || digit < 0 {
			continue
		}
		if digits++; digits%2 == 1 {
			high = digit
			continue
		}
		out = append(out, byte(high<<4|digit)) //nolint:gosec // both are below 16
	}
	if digits%2 == 1 {
		out = append(out, byte(high<<4))
	}
	p.left = p.left[end+1:]
	return out
}

// escapes are what stands behind a backslash for one byte.
var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}

func (p *parser) literal() []byte {
	var out []byte
	open := 0
	for i := 0; i < len(p.left); i++ {
		b := p.left[i]
		switch {
		case b == '\\' && i+1 < len(p.left):
			i++
			i = p.escaped(i, &out)
			continue
		case b == '(':
			if open++; open == 1 {
				continue
			}
		case b == ')':
			if open--; open == 0 {
				p.left = p.left[i+1:]
				return out
			}
		case b == '\r':
			// A line end within a text is one byte.
			if i+1 < len(p.left) && p.left[i+1] == '\n' {
				i++
			}
			b = '\n'
		}
		out = append(out, b)
	}
	p.left = nil
	return nil
}

// escaped adds what a backslash before a place stands for, and returns the last place of it.
func (p *parser) escaped(at int, out *[]byte) int {
	b := p.left[at]
	if one, ok := escapes[b]; ok {
		*out = append(*out, one)
		return at
	}
	if b == '\r' || b == '\n' {
		if b == '\r' && at+1 < len(p.left) && p.left[at+1] == '\n' {
			at++
		}
		return at
	}
	if b < '0' || b > '7' {
		*out = append(*out, b)
		return at
	}
	end := at
	for end < len(p.left) && end < at+3 && p.left[end] >= '0' && p.left[end] <= '7' {
		end++
	}
	octal, _ := strconv.ParseUint(string(p.left[at:end]), 8, 16)
	*out = append(*out, byte(octal)) //nolint:gosec // what does not fit is cut off
	return end - 1
}
