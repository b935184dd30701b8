-- The task is over at HiDream: the slot is free before the pictures are fetched.
-- ARGV: request id, task id, picture addresses, source, latency ms ('' = not to learn from), hold ms. Returns 1 or 0 (fenced).
local rid = ARGV[1]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'task_id', 'ended_ms')
if found[1] ~= 'submitted' or found[2] ~= ARGV[2] then return 0 end
redis.call('HSET', job, 'urls', ARGV[3], 'source', ARGV[4])
redis.call('HINCRBY', job, 'polls', 1)
redis.call('HDEL', job, 'hinted')
redis.call('ZADD', key('due'), now + ARGV[6], rid)
release(rid)
if found[3] then return 1 end
redis.call('HSET', job, 'ended_ms', now)
-- How far callbacks can be relied on, over about 16 ends.
local told = tonumber(redis.call('HGET', key('gate'), 'told') or '0')
redis.call('HSET', key('gate'), 'told', string.format('%.4f', told + ((ARGV[4] == 'callback' and 1 or 0) - told) / 16))
local latency = tonumber(ARGV[5])
if latency then
  -- Mean and variance of ln(ms), forgetting slowly: 1/n at first, then a window of about 64 tasks.
  local gate = key('gate')
  local learnt = redis.call('HMGET', gate, 'lat_mean', 'lat_var', 'lat_n')
  local n = tonumber(learnt[3] or '0') + 1
  local mean, var = tonumber(learnt[1] or '0'), tonumber(learnt[2] or '0')
  local share = math.max(1 / n, 1 / 64)
  local off = math.log(math.max(latency, 1)) - mean
  redis.call('HSET', gate, 'lat_mean', string.format('%.6f', mean + share * off),
    'lat_var', string.format('%.6f', (1 - share) * (var + share * off * off)), 'lat_n', n)
end
return 1
