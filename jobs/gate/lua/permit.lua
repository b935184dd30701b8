-- Asks for leave to submit the next job. ARGV: token, ledger id, in flight, interval us, batch budget, day budget, lease ms,
-- longest reservation ms, rate window ms, grace ms, the most orders that the caller has seen this ledger count.
-- Returns {'granted', request id, go at, now, probe, job fields} | {'wait', reason, ms, detail} | {'empty'} | {'lost'}.
local token, lease, day = ARGV[1], tonumber(ARGV[7]), today()
local gate = key('gate')
local meta = redis.call('HMGET', key('meta'), 'id', 'orders', 'moved')
if meta[3] or (ARGV[2] ~= '' and meta[1] ~= ARGV[2]) then return { 'lost' } end
if tonumber(meta[2] or '0') < tonumber(ARGV[11] or '0') then
  -- It has lost orders. Everybody must stop, those too who have seen less of it: until they are brought in, if another server has it, else
  -- until a person has looked.
  recognise()
  redis.call('HSETNX', gate, 'paused', LOST_ORDERS .. (meta[2] or '0') .. ' orders, but ' .. ARGV[11] .. ' were seen')
end

local function grant(rid, go, probe)
  return { 'granted', rid, go, now, probe, redis.call('HGETALL', key('job', rid)), learnt() }
end

-- The reply of the first sending was lost: it is the same permit.
local before = redis.call('GET', key('permit', token))
if before then
  local rid, go, probe = string.match(before, '^(%S+) (%S+) (%S+)$')
  return grant(rid, go, probe)
end

local g = redis.call('HMGET', gate, 'paused', 'closed_until', 'closed_why', 'breaker', 'breaker_why', 'probe', 'probe_at',
  'tat')
if g[1] then return { 'wait', 'paused', begins_with(g[1], RECOVERING) and 1000 or 5000, g[1] } end

-- The head of the line decides whether there is anything to wait for at all.
local waiting = redis.call('LLEN', key('ring'))
if waiting == 0 then return { 'empty' } end

if tonumber(g[2] or '0') > now then return { 'wait', 'throttled', g[2] - now, g[3] or '' } end
local probe = 0
if g[4] then
  if g[6] then return { 'wait', g[4], 1000, g[5] or '' } end
  if tonumber(g[7]) > now then return { 'wait', g[4], g[7] - now, g[5] or '' } end
  probe = 1
end

-- A slot whose holder died is free. A task that nobody has asked about meanwhile still runs, and a POST is over when the reconciler
-- says so: rather an idle slot than one task too many, and without a collect process nothing is to be bought anyway.
for _, held in ipairs(redis.call('ZRANGEBYSCORE', key('leases'), '-inf', now)) do
  local runs = redis.call('HMGET', key('job', held), 'state', 'ended_ms')
  if (runs[1] == 'submitted' and not runs[2] and redis.call('ZSCORE', key('due'), held))
      or (runs[1] == 'submitting' and redis.call('ZSCORE', key('posting'), held)) then
    redis.call('ZADD', key('leases'), now + lease, held)
  else
    redis.call('ZREM', key('leases'), held)
  end
end
if redis.call('ZCARD', key('leases')) >= tonumber(ARGV[3]) then
  local first = redis.call('ZRANGE', key('leases'), 0, 0, 'WITHSCORES')
  return { 'wait', 'slots', math.max(1, math.ceil(first[2] - now)), '' }
end

local day_budget = tonumber(ARGV[6])
if day_budget > 0 and tonumber(redis.call('HGET', key('spent'), day) or '0') >= day_budget then
  return { 'wait', 'budget', 60000, 'day' }
end

-- Rate: a reservation tells when to go.
local interval = tonumber(ARGV[4]) / 1000 / rate_factor(tonumber(ARGV[9]))
local go = math.max(now, tonumber(g[8] or '0'))
if go - now > tonumber(ARGV[8]) then return { 'wait', 'rate', math.ceil(go - now - tonumber(ARGV[8])), '' } end

-- Whose turn: batches in a ring, each with its own line; a batch over its budget is passed over.
local function turn(batch)
  redis.call('LPOP', key('ring'))
  redis.call('RPUSH', key('ring'), batch)
end

local batch_budget, over = tonumber(ARGV[5]), 0
local rid, batch
while waiting > 0 do
  batch = redis.call('LINDEX', key('ring'), 0)
  if not batch then break end
  local b = key('batch', batch)
  local wants = redis.call('HMGET', b, 'spent', 'cancelled')
  if wants[2] then
    -- Its line stays: who cancels may be killed half-way, and the batch be run again.
    redis.call('LREM', key('ring'), 0, batch)
    waiting = waiting - 1
  elseif batch_budget > 0 and tonumber(wants[1] or '0') >= batch_budget then
    turn(batch)
    over = over + 1
    waiting = waiting - 1
  else
    rid = redis.call('LPOP', key('queued', batch))
    if not rid then
      redis.call('LREM', key('ring'), 0, batch)
      waiting = waiting - 1
    else
      local found = redis.call('HMGET', key('job', rid), 'state', 'claim', 'refs')
      -- A batch that has left the job does not pay for it; it stands in the line of one that wants it too.
      -- A job that is gone, or does not know who wants it, is for the reconciler to put right.
      if not found[1] or not found[3] then redis.call('ZADD', key('broken'), now, rid)
      elseif found[1] == 'queued' and not found[2] and refers_to(found[3], batch) then
        turn(batch)
        break
      end
      rid = nil
    end
  end
end
if not rid then
  if over > 0 then return { 'wait', 'budget', 60000, 'batch' } end
  return { 'empty' }
end

redis.call('HSET', gate, 'tat', string.format('%.3f', go + interval))
go = math.ceil(go)
redis.call('ZREM', key('retry'), rid)
redis.call('HDEL', key('job', rid), 'was')
redis.call('HSET', key('job', rid), 'batch', batch, 'claim', token, 'paid_batch', batch, 'paid_day', day)
redis.call('HINCRBY', key('batch', batch), 'spent', 1)
redis.call('HINCRBY', key('spent'), day, 1)
redis.call('ZADD', key('leases'), go + lease, rid)
redis.call('ZADD', key('posting'), go + ARGV[10], rid)
if probe == 1 then redis.call('HSET', gate, 'probe', rid) end
redis.call('SET', key('permit', token), rid .. ' ' .. go .. ' ' .. probe, 'PX', 120000)
return grant(rid, go, probe)
