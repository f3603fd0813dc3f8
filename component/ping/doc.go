// Package ping answers pings (XEP-0199 §4). Whoever may reach the component
// may ping it.
package ping
