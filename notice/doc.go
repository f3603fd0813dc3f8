// Package notice says what people are told, who, and in which way: a Notice has an
// Audience, each in it a Role; everybody has Preferences, which are contexts (chat,
// device), in each of which filters are ORed, in each of which rules are ANDed. Plan
// makes of all that who is told where.
//
// Package notice/outbox keeps what is to be told and what was, notice/dispatch sees to
// it that each is told once, notice/chat, notice/room and notice/program tell it, and
// notice/cloudevent reads what others emit.
package notice
