-- Claims wakes of one owner that are due, for a process: due and lease become
-- `until_`, sent becomes count. Gives the version before ("" if this claim had been
-- made before, and the answer lost), and for each wake what it was due at, and the
-- new row, or "" if it was not to be had. Each wake comes with the end of the lease
-- of an earlier claim by this process whose answer it never got, or "": that claim is
-- nobody's, and made again.
local function holder(row) return string.match(row, '^%d+ %d+ (%S+) ') end
local owners, pending, due = unpack(KEYS)
local name, now, until_, to, process = unpack(ARGV, 1, 5)
local version, _, value = read(owners, name)
local mine = version == to
local out, taken = {mine and '' or version}, false
for i = 6, #ARGV, 2 do
  local field, unheard = ARGV[i], ARGV[i + 1]
  local row = value and redis.call('HGET', pending, field)
  local was, got = '', ''
  if not row then
    redis.call('ZREM', due, member(name, field))
  elseif mine then
    was = string.sub(row, 1, 19)
    if was == until_ and holder(row) == process then got = row end
  else
    was = string.sub(row, 1, 19)
    if was <= now or was == unheard and holder(row) == process then
      local count, rest = string.match(row, '^%d+ %d+ %S+ %S+ (%S+) (.*)$')
      got = until_ .. ' ' .. until_ .. ' ' .. process .. ' ' .. count .. ' ' .. count .. ' ' .. rest
      redis.call('HSET', pending, field, got)
      redis.call('ZADD', due, score(field, got), member(name, field))
      taken = true
    end
  end
  out[#out + 1] = was
  out[#out + 1] = got
end
if taken then stamp(owners, name, value, to) end
return out
