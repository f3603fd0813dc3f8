package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// The shape of a message. It is one record, as RFC 8291 §4 wants it.
const (
	saltSize   = 16
	recordSize = 4096
	headerSize = saltSize + 4 + 1 + pointSize // RFC 8188 §2.1, with our key as keyid

	// What every push service has to take is 4096 bytes (RFC 8030 §7.2).
	maxPlain = 4096 - headerSize - 1 - 16 // less the delimiter and the tag

	// Wakes of all accounts and counts have the same length on the wire.
	padTo = 128
)

// encrypt makes the body of a request, with a key and a salt for it alone.
func encrypt(sub Subscription, plain []byte) ([]byte, error) {
	sender, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var salt [saltSize]byte
	rand.Read(salt[:])
	return seal(sub, sender, salt, plain, max(padTo-len(plain), 0))
}

// seal is encrypt with everything given.
func seal(sub Subscription, sender *ecdh.PrivateKey, salt [saltSize]byte, plain []byte, padding int) ([]byte, error) {
	ikm, err := combine(sub, sender)
	if err != nil {
		return nil, err
	}
	return record(ikm, salt, sender.PublicKey().Bytes(), plain, padding)
}

// combine is RFC 8291 §3.3: the keying material from both keys and the secret.
func combine(sub Subscription, sender *ecdh.PrivateKey) ([]byte, error) {
	secret, err := sender.ECDH(sub.P256DH)
	if err != nil {
		return nil, err
	}
	info := slices.Concat([]byte("WebPush: info\x00"), sub.P256DH.Bytes(), sender.PublicKey().Bytes())
	return hkdf.Key(sha256.New, secret, sub.Auth[:], string(info), sha256.Size)
}

// record is RFC 8188 §2 for a message of one record, which is the last.
func record(ikm []byte, salt [saltSize]byte, keyid, plain []byte, padding int) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, ikm, salt[:], "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt[:], "Content-Encoding: nonce\x00", 12)
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
	out := binary.BigEndian.AppendUint32(salt[:], recordSize)
	out = append(out, byte(len(keyid)))
	out = append(out, keyid...)
	padded := slices.Concat(plain, []byte{2}, make([]byte, padding))
	return gcm.Seal(out, nonce, padded, nil), nil
}
