package config

// Store is where state is kept.
type Store struct {
	URL          Secret `toml:"url" default:"sqlite:rouse.db"` // can hold a password; Name is for people
	KeyFile      string `toml:"key_file,path" default:"rouse.key"`
	PasswordFile string `toml:"password_file,path"`
	CAFile       string `toml:"ca_file,path"`
	Durability   string `toml:"durability" enum:"safe,fast" default:"safe"`
	Record       int    `toml:"record" default:"200"` // reasons kept for each account

	Name  string `toml:"-"` // the URL without user and password
	Path  string `toml:"-"` // of the SQLite file that URL names
	Redis *Redis `toml:"-"` // the Redis that URL names; nil: it names a file
}

// Redis is a Redis, or several that are one store.
type Redis struct {
	Mode     string   // Standalone, Cluster or Sentinel
	Addrs    []string // host:port
	Master   string   // what the sentinels call it
	DB       int
	Username string
	Password Secret // also when it came from PasswordFile
	TLS      bool
}

// The ways in which Redis runs.
const (
	Standalone = "standalone"
	Cluster    = "cluster"
	Sentinel   = "sentinel"
)

// The durabilities of a Redis.
const (
	Safe = "safe" // what was answered survives a failover
	Fast = "fast" // what was answered in the last second may not
)

// maxRecord is how many reasons a store keeps of an account at most.
const maxRecord = 200

// StoreAt reads an address of a store that stands elsewhere than in a file of
// settings, with files of password and authorities that may be empty. Paths are
// as they are. An error is *Error, or Errors about the files.
func StoreAt(url, passwordFile, caFile string) (*Store, error) {
	s := &Store{URL: NewSecret(url), PasswordFile: passwordFile, CAFile: caFile, Durability: Safe, Record: maxRecord}
	if cause, hint := s.address(); cause != "" {
		return nil, &Error{Cause: cause, Hint: hint}
	}
	for _, f := range s.misfits() {
		return nil, &Error{Cause: f.cause, Hint: f.hint}
	}
	f := &fileChecker{source: newSource("", nil)}
	f.store(s)
	if err := f.errs.err(); err != nil {
		return nil, err
	}
	return s, nil
}

type misfit struct{ key, cause, hint string }

// misfits are settings that do not go with the address. One that would do nothing
// is one, for whoever wrote it believes that it does.
func (s *Store) misfits() []misfit {
	var list []misfit
	add := func(key, cause, hint string) { list = append(list, misfit{"store." + key, cause, hint}) }
	const useless = "take it out; it is a setting for Redis"
	r := s.Redis
	if r == nil {
		if s.PasswordFile != "" {
			add("password_file", "a file of SQLite has no password", useless)
		}
		if s.CAFile != "" {
			add("ca_file", "a file of SQLite has no TLS", useless)
		}
		if s.Durability == Fast {
			add("durability", "does nothing for SQLite, which is always safe: what is answered is on the disk", useless)
		}
		return list
	}
	switch {
	case s.PasswordFile != "" && !r.Password.IsZero():
		add("password_file", "there is a password in store.url as well", "keep one of them; the file is the better place")
	case s.PasswordFile == "" && r.Username != "" && r.Password.IsZero():
		add("url", "names a user and no password", "put it into a file, mode 0600, and name that in store.password_file")
	}
	if s.CAFile != "" && !r.TLS {
		add("ca_file", "there is no TLS to this Redis", "the address of one with TLS begins with rediss")
	}
	return list
}
