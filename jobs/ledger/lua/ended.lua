-- The task is over at HiDream: the slot is free before the pictures are fetched.
-- ARGV: request id, token, task id, picture addresses, source, latency ms ('' = not to learn from), hold ms, failure of sub-tasks
-- that brought no picture ('' = none). Returns 1 or 0 (fenced).
local rid, token = ARGV[1], ARGV[2]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'task_id', 'ended_ms', 'predicted_ms', 'op')
if found[5] == token then return 1 end
if found[1] ~= 'submitted' or found[2] ~= ARGV[3] then return 0 end
redis.call('HSET', job, 'op', token, 'urls', ARGV[4], 'source', ARGV[5])
if ARGV[8] ~= '' then redis.call('HSET', job, 'failure', ARGV[8]) else redis.call('HDEL', job, 'failure') end
poll_answered(rid, ARGV[3])
redis.call('HINCRBY', job, 'polls', 1)
redis.call('HDEL', job, 'hinted')
redis.call('ZADD', key('due'), now + ARGV[7], rid)
release(rid)
if found[3] then return 1 end
redis.call('HSET', job, 'ended_ms', now)
local gate = key('gate')

-- A mean and a variance that forget slowly: 1/n at first, then over a window of so many tasks.
local function learn(name, value, window)
  local so_far = redis.call('HMGET', gate, name .. '_mean', name .. '_var', name .. '_n')
  local n = tonumber(so_far[3] or '0') + 1
  local mean, var = tonumber(so_far[1] or '0'), tonumber(so_far[2] or '0')
  local share = math.max(1 / n, 1 / window)
  local off = value - mean
  redis.call('HSET', gate, name .. '_mean', string.format('%.6f', mean + share * off),
    name .. '_var', string.format('%.6f', (1 - share) * (var + share * off * off)), name .. '_n', n)
end

-- How far callbacks can be relied on: four that came are trusted, two in a row that did not end the trust.
local share = tonumber(redis.call('HGET', gate, 'callback_share') or '0')
redis.call('HSET', gate, 'callback_share', string.format('%.4f', share + ((ARGV[5] == 'callback' and 1 or 0) - share) / 4))
local latency = tonumber(ARGV[6])
if latency then
  learn('lat', math.log(math.max(latency, 1)), 64)
  if found[4] then learn('off', math.log(math.max(latency, 1) / tonumber(found[4])), 64) end
end
return 1
