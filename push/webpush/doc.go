// Package webpush wakes browsers and UnifiedPush apps by Web Push: RFC 8030 (the
// request), RFC 8291 with RFC 8188 (encryption) and RFC 8292 (VAPID: who we are).
//
// Here the device chooses where we connect to. So its address is believed only
// after name resolution, at the moment it is dialled; redirects are not followed,
// no proxy of the environment is used, and everything that comes back is bounded.
//
// The token of a registration is a Subscription as text. What is sent is for the
// app alone, encrypted to its key: for which account the wake is, and how many
// stanzas it stands for.
package webpush
