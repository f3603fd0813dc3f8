// Package pushtest has stand-ins for APNs, FCM and a Web Push service. They speak
// the real protocols on 127.0.0.1, HTTP/2 over TLS with a certificate of their
// own, check what the real services check, answer as told, and list what they
// received.
//
// They are as strict as the services, and where the services are lenient without
// need they are stricter: what a stand-in takes wrongly no test can find. Sources:
// Apple, "Sending notification requests to APNs", "Establishing a token-based
// connection to APNs" and "Handling notification responses from APNs"; Google,
// "FCM HTTP v1 API", "ErrorCode", "Using OAuth 2.0 for server to server
// applications"; RFC 8030, 8188, 8291 and 8292.
//
// Tests and the demonstration share them; nothing here needs package testing.
package pushtest
