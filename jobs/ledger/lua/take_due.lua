-- Hands out what is due to be asked or collected and hides it from others for a while.
-- ARGV: at most, hold ms, lease ms, token. Returns {now, next due time or -1, {what was learnt}, {what was heard of others}, {job hash}...}.
local due = {}
local before = redis.call('GET', key('took', ARGV[4]))
if before then
  -- The reply of the first sending was lost: they are handed out again, not hidden from everybody for the whole hold.
  for rid in string.gmatch(before, '%S+') do
    if redis.call('ZSCORE', key('due'), rid) then due[#due + 1] = rid end
  end
else
  due = redis.call('ZRANGEBYSCORE', key('due'), '-inf', now, 'LIMIT', 0, ARGV[1])
  if #due > 0 then redis.call('SET', key('took', ARGV[4]), table.concat(due, ' '), 'PX', ARGV[2]) end
end
local reply = { now, -1, learnt(), redis.call('HMGET', key('gate'), 'answered_ms', 'answered_by', 'fetched_ms') }
for _, rid in ipairs(due) do
  local fields = redis.call('HGETALL', key('job', rid))
  if redis.call('HEXISTS', key('job', rid), 'refs') == 0 then redis.call('ZADD', key('broken'), now, rid) end
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
