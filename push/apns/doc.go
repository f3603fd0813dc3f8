// Package apns wakes Apple devices by the Apple Push Notification service, over
// github.com/sideshow/apns2.
//
// It follows Apple's articles "Sending notification requests to APNs",
// "Handling notification responses from APNs", "Establishing a token-based
// connection to APNs", "Establishing a certificate-based connection to APNs",
// "Modifying content in newly delivered notifications" (why mutable-content),
// "Pushing background updates to your app", and "Responding to VoIP
// notifications from PushKit".
//
// A push carries no content: a text of ours, and for the app the custom key
// account, by which it knows which of its accounts to connect.
package apns
