package pushtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
)

// open decrypts a message as the app does (RFC 8291). It shares no code with the
// sender: a mistake that both made alike would be found by nobody.
func (s subscriber) open(body []byte) ([]byte, error) {
	c, err := parseCoding(body)
	if err != nil {
		return nil, err
	}
	if len(c.records) != 1 {
		return nil, errors.New("a message has to be one record")
	}
	sender, err := ecdh.P256().NewPublicKey(c.keyid)
	if err != nil {
		return nil, errors.New("keyid is not the sender's key")
	}
	shared, err := s.private.ECDH(sender)
	if err != nil {
		return nil, err
	}
	prk, err := hkdf.Extract(sha256.New, shared, s.auth)
	if err != nil {
		return nil, err
	}
	info := append([]byte("WebPush: info\x00"), s.private.PublicKey().Bytes()...)
	ikm, err := hkdf.Expand(sha256.New, prk, string(append(info, c.keyid...)), 32)
	if err != nil {
		return nil, err
	}
	return c.open(ikm)
}

// coding is a body of content coding aes128gcm (RFC 8188 §2), taken apart.
type coding struct {
	salt    []byte
	keyid   []byte
	records [][]byte
}

func parseCoding(body []byte) (coding, error) {
	var c coding
	if len(body) < 21 || len(body) < 21+int(body[20]) {
		return c, errors.New("the header is cut short")
	}
	size := binary.BigEndian.Uint32(body[16:20])
	if size < 18 {
		return c, errors.New("the record size is less than 18")
	}
	c.salt, c.keyid = body[:16], body[21:21+int(body[20])]
	c.records = slices.Collect(slices.Chunk(body[21+len(c.keyid):], int(size)))
	if len(c.records) == 0 {
		return c, errors.New("there is no record")
	}
	return c, nil
}

// open decrypts the records and takes the padding off.
func (c coding) open(ikm []byte) ([]byte, error) {
	prk, err := hkdf.Extract(sha256.New, ikm, c.salt)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Expand(sha256.New, prk, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	base, err := hkdf.Expand(sha256.New, prk, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	var plain []byte
	for i, record := range c.records {
		nonce := slices.Clone(base)
		last := nonce[4:]
		binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^uint64(i))
		part, err := gcm.Open(nil, nonce, record, nil)
		if err != nil {
			return nil, errors.New("a record cannot be decrypted")
		}
		delimiter := byte(1)
		if i == len(c.records)-1 {
			delimiter = 2
		}
		end := len(part) - 1
		for end >= 0 && part[end] == 0 {
			end--
		}
		if end < 0 || part[end] != delimiter {
			return nil, errors.New("a record has the wrong delimiter")
		}
		plain = append(plain, part[:end]...)
	}
	return plain, nil
}
