// Package p2 registers devices as the Conversations push proxy (p2) does, with
// the ad-hoc commands register-push-fcm and -apns, and unregister-push-fcm and -apns. Conversations
// and its forks, Snikket for Android and Cheogram speak it.
//
// Names of commands and fields, the types of forms and the device hash are the
// clients' contract and byte-exact. The length of the node is ours.
//
// A device may register once for its account and once for each room whose server
// publishes by itself (field muc).
package p2
