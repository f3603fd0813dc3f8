// Package p2 registers devices as the Conversations push proxy (p2) does, with
// the ad-hoc commands register-push-fcm and register-push-apns. Conversations
// and its forks, Snikket for Android and Cheogram speak it.
//
// Names of commands and fields, the types of forms and the device hash are the
// clients' contract and byte-exact. The length of the node is ours.
//
// Not covered: registrations for rooms (field muc) and unregister-push-*, which
// are answered feature-not-implemented and item-not-found.
package p2
