// Package version says what software runs here (XEP-0092 §4). The operating
// system is left out unless somebody sets it: it helps attackers more than
// anybody else (§6).
package version
