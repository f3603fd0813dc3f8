package config

// setting documents one key. Types, defaults and allowed words are not repeated
// here; they come from the tags in config.go.
type setting struct {
	Key     string // "app.name" stands for the key in each [[app]]
	Example string // as TOML; what the sample has
	Off     bool   // the sample has it commented out
	Reload  bool   // takes effect at SIGHUP; the others at the next start
	Doc     string
}

// section documents one table.
type section struct {
	Name, Title, Doc string
}

var sections = []section{
	{"component", "[component]", "The link to the XMPP server (XEP-0114). Without this table rouse has no link."},
	{"store", "[store]", "Where rouse keeps what it must not forget: registrations, sessions, wakes that are still owed."},
	{"app", "[[app]]", "One table for each app and environment that devices register for. Each has its own name; the provider decides which other keys it takes. `endpoint` and `ca_file` may stand in every one."},
	{"rules", "[rules]", "The rules that decide who is woken. The defaults suit most."},
	{"web", "[web]", "The overview page, /healthz, /readyz and /metrics. There is no password: leave it on loopback, or put a proxy that asks for one in front."},
	{"log", "[log]", "The log goes to standard error. Secrets, tokens and message bodies are never in it."},
}

var settings = []setting{
	{Key: "component.jid", Example: `"push.example.org"`,
		Doc: "The domain that the server knows this component by. Clients enable push with it. Required in this table."},
	{Key: "component.address", Example: `"127.0.0.1:5347"`,
		Doc: "Where the server listens for components. A list is tried in turn. The protocol has no TLS, so this should be loopback or a tunnel."},
	{Key: "component.secret_file", Example: `"component.secret"`,
		Doc: "The file that holds the secret shared with the server, in one line, readable by its owner alone (mode 0600). This or `secret` is required in this table."},
	{Key: "component.secret", Example: `"…"`, Off: true,
		Doc: "The shared secret itself. Then the configuration has to be readable by its owner alone (mode 0600)."},
	{Key: "component.hosts", Example: `["example.org"]`,
		Doc: "The domains whose server module may report session events, and whose users may use the bot. Without it rouse is a push service only."},
	{Key: "component.contact", Example: `["mailto:admin@example.org"]`, Off: true,
		Doc: "Whom users and other operators can write to, as URIs (mailto:, xmpp:, https:). Told to everybody who asks the component (XEP-0157)."},
	{Key: "store.url", Example: `"sqlite:rouse.db"`,
		Doc: "For one machine a file: `sqlite:FILE`. For several a Redis: `redis://[user:password@]host:6379[/database]`, a Redis Cluster: `redis+cluster://h1:6379,h2:6379`, or sentinels and what they call their master: `redis+sentinel://s1:26379,s2:26379/mymaster`. With rediss in place of redis, TLS. In user and password %40 stands for @, and so on."},
	{Key: "store.password_file", Example: `"redis.password"`, Off: true,
		Doc: "Redis: the file that holds the password, in one line, mode 0600, in place of one in `url`. If the password stands in `url`, the configuration has to be readable by its owner alone."},
	{Key: "store.ca_file", Example: `"redis-ca.pem"`, Off: true,
		Doc: "Redis: certificates (PEM) to trust instead of the system's. Only with TLS."},
	{Key: "store.durability", Example: `"safe"`,
		Doc: "Redis: `safe` answers once what was decided survives a failover, `fast` does not wait for that and can lose the last second. SQLite is always safe."},
	{Key: "store.record", Example: `200`,
		Doc: "How many decisions are kept of each account, to answer why a device was woken or not. From 0 (none) to 200; none is kept longer than 7 days."},
	{Key: "store.key_file", Example: `"rouse.key"`,
		Doc: "The key that marks the nodes which rouse issues, made at the first start. Keep a copy apart from the store: with it rouse can tell a lost registration from a forged one."},
	{Key: "app.name", Example: `"chat-ios"`,
		Doc: "The name of the app in logs, metrics and registrations: up to 64 of a-z, 0-9 and -. Required, unique."},
	{Key: "app.provider", Example: `"apns"`,
		Doc: "Who delivers: Apple (`apns`), Google (`fcm`), or the push service that a browser or UnifiedPush app chose (`webpush`). Required."},
	{Key: "app.default", Example: `true`,
		Doc: "This app takes the registrations that name only a provider. At most one for each provider."},
	{Key: "app.topic", Example: `"org.example.chat"`,
		Doc: "APNs: the bundle ID of the app. Required for apns."},
	{Key: "app.environment", Example: `"production"`,
		Doc: "APNs: where the device tokens are from. Builds from Xcode have tokens of the sandbox."},
	{Key: "app.key_file", Example: `"AuthKey.p8"`,
		Doc: "APNs: the signing key (.p8), mode 0600. Needs `key_id` and `team_id`. This or `certificate_file` is required for apns."},
	{Key: "app.key_id", Example: `"ABC123DEFG"`,
		Doc: "APNs: the ID of the signing key, 10 characters."},
	{Key: "app.team_id", Example: `"TEAM45678X"`,
		Doc: "APNs: the ID of the team that the key belongs to, 10 characters."},
	{Key: "app.certificate_file", Example: `"chat.p12"`, Off: true,
		Doc: "APNs: a certificate with its key, PEM or PKCS#12, mode 0600, instead of the signing key."},
	{Key: "app.password_file", Example: `"chat.p12.password"`, Off: true,
		Doc: "APNs: the file with the password of `certificate_file`, mode 0600."},
	{Key: "app.voip", Example: `true`, Off: true,
		Doc: "APNs: calls go out as VoIP pushes. The app has to show them with CallKit, or iOS stops delivering them."},
	{Key: "app.credentials_file", Example: `"service-account.json"`,
		Doc: "FCM: the key of the service account as the Firebase console gives it (JSON), mode 0600. Required for fcm."},
	{Key: "app.vapid_key_file", Example: `"vapid.pem"`,
		Doc: "Web Push: the private key that apps subscribe for (VAPID), PEM or base64url, mode 0600. To make one: `openssl ecparam -name prime256v1 -genkey -noout -out vapid.pem`. Required for webpush."},
	{Key: "app.contact", Example: `"mailto:push@example.org"`,
		Doc: "Web Push: whom a push service can write to about our messages, mailto: or https:. Required for webpush."},
	{Key: "app.allow_private", Example: `true`, Off: true,
		Doc: "Web Push: take push services on this machine and on private networks too. Then whoever can register a device has rouse connect to them. Link-local addresses are never taken."},
	{Key: "app.endpoint", Example: `"https://proxy.example.org"`, Off: true,
		Doc: "Another base address than the provider's own, for tests and proxies. Empty means the provider's own, as it has to be for webpush: each subscription names its own. Plain http is taken for this machine only."},
	{Key: "app.ca_file", Example: `"proxy-ca.pem"`, Off: true,
		Doc: "Certificates (PEM) to trust instead of the system's when talking to the provider or to `endpoint`."},
	{Key: "rules.coalesce", Example: `"5s"`, Reload: true,
		Doc: "The first stanza wakes a device at once; what follows within this window wakes it once more, at its end. From \"0s\" (each stanza wakes) to \"1h\"."},
	{Key: "rules.grace", Example: `"0s"`, Off: true,
		Doc: "How long to wait whether the message is read on another device. Not available yet: only \"0s\" is taken."},
	{Key: "web.listen", Example: `"127.0.0.1:8470"`,
		Doc: "The address to listen on. Empty: do not listen."},
	{Key: "log.level", Example: `"info"`, Reload: true,
		Doc: "The least urgent level that is logged."},
	{Key: "log.format", Example: `"text"`,
		Doc: "Lines for people, or JSON for programs."},
}
