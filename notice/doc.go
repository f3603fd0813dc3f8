// Package notice says what people are told, and who: of an event in the directory the
// person whom it concerns, administrators, or both (Audience). Package notice/chat
// tells it by XMPP, package notice/dispatch sees to it that each is told once.
package notice
