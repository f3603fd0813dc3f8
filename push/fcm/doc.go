// Package fcm wakes Android devices by Firebase Cloud Messaging, HTTP v1, over
// firebase.google.com/go/v4.
//
// It follows Google's "FCM HTTP v1 API" (projects.messages, ErrorCode), "Best
// practices when sending FCM messages at scale" (delays after an error), "Set
// and manage message priority", "Lifespan of a message", and RFC 7523 for the
// access token.
//
// Messages are data only, so that the app decides what is shown. The key account
// is the one that Conversations and its kin compare with their own (push service
// p2), and collapse_key is as p2 makes it.
package fcm
