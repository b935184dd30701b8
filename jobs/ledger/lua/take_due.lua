-- Hands out what is due to be asked or collected and hides it from others for a while.
-- ARGV: at most, hold ms, lease ms. Returns {now, next due time or -1, latency mean, variance, samples, {job hash}...}.
local due = redis.call('ZRANGEBYSCORE', key('due'), '-inf', now, 'LIMIT', 0, ARGV[1])
local learnt = redis.call('HMGET', key('gate'), 'lat_mean', 'lat_var', 'lat_n')
local reply = { now, -1, learnt }
for _, rid in ipairs(due) do
  local fields = redis.call('HGETALL', key('job', rid))
  if #fields == 0 then
    redis.call('ZREM', key('due'), rid)
  else
    redis.call('ZADD', key('due'), now + ARGV[2], rid)
    -- From here on a hint is a newer one.
    redis.call('HDEL', key('job', rid), 'hinted')
    redis.call('ZADD', key('leases'), 'XX', now + ARGV[3], rid)
    fields[#fields + 1] = 'request_id'
    fields[#fields + 1] = rid
    reply[#reply + 1] = fields
  end
end
local next_one = redis.call('ZRANGE', key('due'), 0, 0, 'WITHSCORES')
if next_one[2] then reply[2] = math.floor(tonumber(next_one[2])) end
return reply
