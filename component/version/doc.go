// Package version says what software runs here (XEP-0092 §2). The operating
// system is left out unless somebody sets it: it helps attackers more than
// anybody else (§5).
package version
