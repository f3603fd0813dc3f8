package redis

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rouse/session"
	"rouse/store"
)

// nobody stands in a wake's row where no process has claimed it.
const nobody = "-"

// A wake's row is words, and not JSON as the rest: the scripts change it, and a
// number of Lua does not hold all that stands in it.
//
//	due lease process sent count serial attempt since rule

func wakeRow(w session.Wake) (string, error) {
	due, err1 := stamp(w.Due)
	lease, err2 := stamp(w.Lease)
	since, err3 := stamp(w.Since)
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	b := make([]byte, 0, 96)
	b = append(b, due...)
	b = append(append(b, ' '), lease...)
	b = append(append(b, ' '), nobody...)
	b = strconv.AppendInt(append(b, ' '), int64(w.Sent), 10)
	b = strconv.AppendInt(append(b, ' '), int64(w.Count), 10)
	b = strconv.AppendUint(append(b, ' '), w.Serial, 10)
	b = strconv.AppendInt(append(b, ' '), int64(w.Attempt), 10)
	b = append(append(b, ' '), since...)
	b = append(append(b, ' '), w.Rule...)
	return string(b), nil
}

func parseWake(row string) (w session.Wake, process string, err error) {
	part := strings.SplitN(row, " ", 9)
	if len(part) != 9 {
		return w, "", errors.New("the row of a wake has too few words")
	}
	var errs [7]error
	w.Due, errs[0] = parseStamp(part[0])
	w.Lease, errs[1] = parseStamp(part[1])
	w.Sent, errs[2] = strconv.Atoi(part[3])
	w.Count, errs[3] = strconv.Atoi(part[4])
	w.Serial, errs[4] = strconv.ParseUint(part[5], 10, 64)
	w.Attempt, errs[5] = strconv.Atoi(part[6])
	w.Since, errs[6] = parseStamp(part[7])
	w.Rule = part[8]
	return w, part[2], errors.Join(errs[:]...)
}

// A reason's row is its time, as the commit's script compares it, and an array.

func reasonRow(r session.Reason) (string, error) {
	at, err := stamp(r.At)
	if err != nil {
		return "", err
	}
	l := newList(append([]byte(at), ' '))
	l.string(r.Rule)
	l.string(string(r.Event))
	l.string(string(r.Verdict))
	l.value(r.Class == 0, func(b []byte) []byte { return appendString(b, r.Class.String()) })
	l.value(r.Endpoint == session.Address{}, func(b []byte) []byte { return appendString(b, r.Endpoint.Service+" "+r.Endpoint.Node) })
	l.string(r.Session)
	l.string(r.Why)
	l.uint(uint64(max(0, r.After)))
	l.string(r.Stanza)
	l.string(r.Tag)
	return string(l.close()), nil
}

func parseReason(row string) (r session.Reason, err error) {
	at, text, _ := strings.Cut(row, " ")
	if r.At, err = parseStamp(at); err != nil {
		return r, err
	}
	return r, fields([]byte(text), &r.Rule, &r.Event, &r.Verdict, &r.Class, &r.Endpoint, &r.Session, &r.Why, (*int64)(&r.After), &r.Stanza, &r.Tag)
}

// A registration is a line that says how it is counted, and an array.
const (
	stateLive      = "live"
	stateDead      = "dead"
	stateTombstone = "tombstone"
)

func registrationState(r session.Registration) string {
	switch {
	case r.Live():
		return stateLive
	case r.Token == "":
		return stateTombstone
	}
	return stateDead
}

func registrationRow(r session.Registration) string {
	b := append([]byte(registrationState(r)), ' ')
	b = append(appendString(b, r.App), '\n')
	l := newList(b)
	l.string(r.Token)
	l.string(packHex(r.Device))
	l.string(r.Domain)
	l.time(r.Updated)
	l.string(r.Dead)
	l.time(r.Died)
	l.string(string(r.Family))
	l.string(r.Account)
	l.string(packHex(r.Channel))
	l.string(r.Calls)
	return string(l.close())
}

func parseRegistration(node, text string) (session.Registration, error) {
	r := session.Registration{Node: node}
	head, row, found := strings.Cut(text, "\n")
	state, app, _ := strings.Cut(head, " ")
	if !found {
		return r, errors.New("it has no second line")
	}
	if err := json.Unmarshal([]byte(app), &r.App); err != nil {
		return r, err
	}
	var updated, died int64
	if err := fields([]byte(row), &r.Token, &r.Device, &r.Domain, &updated, &r.Dead, &died,
		(*string)(&r.Family), &r.Account, &r.Channel, &r.Calls); err != nil {
		return r, err
	}
	r.Device, r.Channel = unpackHex(r.Device), unpackHex(r.Channel)
	r.Updated, r.Died = moment(updated), moment(died)
	if want := registrationState(r); state != want {
		return r, fmt.Errorf("it is filed as %s and is %s", state, want)
	}
	return r, nil
}

// packHex writes what is SHA-1 in hex, as devices are, in base64 behind a "=", which
// takes two thirds. What is not goes as it is.
func packHex(s string) string {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 20 || s != strings.ToLower(s) {
		return s
	}
	return "=" + base64.RawStdEncoding.EncodeToString(raw)
}

func unpackHex(s string) string {
	packed, ok := strings.CutPrefix(s, "=")
	raw, err := base64.RawStdEncoding.DecodeString(packed)
	if !ok || err != nil || len(raw) != 20 {
		return s
	}
	return hex.EncodeToString(raw)
}

func reporterRow(r store.Reporter) string {
	l := newList(nil)
	l.uint(r.Epoch)
	l.uint(r.Seq)
	l.value(!r.Wanted, func(b []byte) []byte { return strconv.AppendBool(b, r.Wanted) })
	l.uint(r.Picture)
	return string(l.close())
}

func parseReporter(host, row string) (store.Reporter, error) {
	r := store.Reporter{Host: host}
	err := fields([]byte(row), &r.Epoch, &r.Seq, &r.Wanted, &r.Picture)
	return r, err
}
