-- Says that a process lives. ARGV: its id, what it says of itself as JSON, how long an entry is kept, ms. Returns 1 while orders are awaited that
-- a server may lack which took over, else 0.
-- Who does not come again stays listed as long, so that whoever asks learns when it was last heard.
recognise()
local known, keep = key('heartbeats'), tonumber(ARGV[3])
redis.call('HSET', known, ARGV[1], now .. ' ' .. ARGV[2])
local flat = redis.call('HGETALL', known)
for place = 2, #flat, 2 do
  if tonumber(string.match(flat[place], '^%d+') or '0') < now - keep then redis.call('HDEL', known, flat[place - 1]) end
end
redis.call('PEXPIRE', known, keep)
try_open()
return redis.call('EXISTS', key('recovery'))
