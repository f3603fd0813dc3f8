// Package dirlab starts real directories for tests, in a directory of their own, on a
// free port, as whoever runs them: slapd with the attributes of FreeIPA that are of
// interest, content synchronisation and a tree of containers like FreeIPA's.
package dirlab
