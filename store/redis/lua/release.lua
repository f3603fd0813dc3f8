-- Makes wakes of one owner due again that a process claimed ("*": any process), and
-- gives those.
local owners, pending, due = unpack(KEYS)
local name, to, process = unpack(ARGV, 1, 3)
local released = {}
for i = 4, #ARGV do
  local field = ARGV[i]
  local row = redis.call('HGET', pending, field)
  if row then
    local lease, holder, count, serial, attempt, since, rule = string.match(row, '^%d+ (%d+) (%S+) %S+ (%S+) (%S+) (%S+) (%S+) (.*)$')
    if tonumber(lease) ~= 0 and (process == '*' or process == holder) then
      row = table.concat({since, string.rep('0', 19), '-', '0', count, serial, attempt, since, rule}, ' ')
      redis.call('HSET', pending, field, row)
      redis.call('ZADD', due, score(field, row), member(name, field))
      released[#released + 1] = field
    end
  end
end
if #released > 0 then
  local _, _, value = read(owners, name)
  if value then stamp(owners, name, value, to) end
end
return released
