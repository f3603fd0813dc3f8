// Package subscription registers browsers and UnifiedPush apps with the ad-hoc
// command register-push-webpush.
//
// An app has to know our VAPID key before it can subscribe at its push service
// (RFC 8292 §4.1): it executes the command without a form and is given one, with
// the key in it. It subscribes, fills in what it got (W3C Push API,
// PushSubscription.toJSON: endpoint, p256dh, auth) and sends the form. The
// answer, the device hash and the rest are those of package p2, so that a client
// of that family has one stage more to learn and nothing else.
//
// Not covered: registrations for rooms. An end is not needed: an app that
// unsubscribes at its push service is gone with the next push.
package subscription
