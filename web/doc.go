// Package web is what rouse shows over HTTP: a plain overview page, /healthz (the
// process is alive), /readyz (it does its job, and if not, why) and /metrics (for
// Prometheus). Nothing here changes anything, and nothing here is secret: there
// are no addresses of users, no tokens and no nodes in it.
//
// What it shows comes from functions that the caller passes in. Every label value
// of a metric is known from the start and stands at zero before it first happens;
// anything unforeseen is counted as "other", so the number of series is bounded.
package web
