// Package contact says whom to write to about the service (XEP-0157 §2, §3): a
// form that goes into the answer to disco#info.
package contact
