package pushtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
)

// APNsToken makes a device token in Apple's format, the same for the same seed.
func APNsToken(seed string) string {
	sum := sha256.Sum256([]byte("apns " + seed))
	return hex.EncodeToString(sum[:])
}

// FCMToken makes a registration token in Google's format, the same for the same seed.
func FCMToken(seed string) string {
	var b []byte
	for _, part := range []string{"a", "b", "c", "d"} {
		sum := sha256.Sum256([]byte("fcm " + part + seed))
		b = append(b, sum[:]...)
	}
	text := base64.RawURLEncoding.EncodeToString(b)
	return text[:22] + ":APA91b" + text[22:156]
}

var (
	apnsToken = regexp.MustCompile(`^(?:[0-9a-fA-F]{2}){32,100}$`)
	fcmToken  = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}:[A-Za-z0-9_-]{80,400}$`)
	uuid      = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

func goodAPNsToken(t string) bool {
	return apnsToken.MatchString(t) && strings.Trim(t, "0") != ""
}

func goodFCMToken(t string) bool { return fcmToken.MatchString(t) }
