// Package appserver registers devices as Prosody's mod_push_appserver does, with
// the ad-hoc commands v1-register-push and v1-unregister-push. The client chooses
// the node, and is given the secret that servers have to bring with a publish.
//
// Not covered: the same by HTTP.
package appserver
