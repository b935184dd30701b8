-- What time alone moves. ARGV: at most, policy, quiet ms, token. Returns {redriven, unknown ids..., } as
-- {number queued in all, {redriven}, {unknown}, {resubmitted}, 1 = there are broken jobs, why the account is paused or ''}.
-- Sent again it would find nothing to move, and who sent it would not hear of what it moved.
local before = redis.call('GET', key('once', ARGV[4]))
if before then return cjson.decode(before) end

local most = ARGV[1]
local redriven, unknown, resubmitted = {}, {}, {}

-- Holders that died: without intent nothing was sent, with it nobody knows.
local over = redis.call('ZRANGEBYSCORE', key('posting'), '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
for i = 1, #over, 2 do
  local rid, deadline = over[i], tonumber(over[i + 1])
  local found = redis.call('HMGET', key('job', rid), 'state', 'hint_task', 'begun_ms')
  local state = found[1]
  if state == 'queued' then
    release(rid)
    -- Whose task a callback has named meanwhile is not bought again: HiDream is asked about that task.
    if not adopt(rid, found[2]) then
      refund(rid)
      back_to_queue(rid)
      redriven[#redriven + 1] = rid
    end
  elseif state == 'submitting' then
    redis.call('HSET', key('job', rid), 'failure', cjson.encode({ kind = 'no_answer', retryable = false, owner = 'ops',
      message = 'The worker that was to send it ended before HiDream answered; it may have been bought' }))
    -- Found so late, either nobody has looked for long, or the clock has jumped and the POST is still under way.
    local posting = now - deadline > 10000 and math.max(0, deadline - (tonumber(found[3]) or deadline)) or 0
    if to_unknown(rid, posting) then unknown[#unknown + 1] = rid end
  else
    if not state then redis.call('ZADD', key('broken'), now, rid) end
    release(rid)
  end
end

for _, rid in ipairs(redis.call('ZRANGEBYSCORE', key('retry'), '-inf', now, 'LIMIT', 0, most)) do
  redis.call('ZREM', key('retry'), rid)
  local waiting = redis.call('HMGET', key('job', rid), 'state', 'claim')
  if not waiting[1] then redis.call('ZADD', key('broken'), now, rid) end
  if waiting[1] == 'queued' and not waiting[2] then
    back_to_queue(rid)
    redriven[#redriven + 1] = rid
  end
end

if ARGV[2] == 'resubmit' then
  for _, rid in ipairs(redis.call('ZRANGEBYSCORE', key('unknown'), '-inf', now - ARGV[3], 'LIMIT', 0, most)) do
    redis.call('ZREM', key('unknown'), rid)
    local job = key('job', rid)
    local shared = string.find(redis.call('HGET', job, 'failure') or '', 'task_shared', 1, true)
    -- One whose batches were all cancelled remains what it is: it may have been bought.
    if redis.call('HGET', job, 'state') == 'unknown' and not shared and home(rid)
        and redis.call('HSETNX', job, 'resubmitted', 1) == 1 then
      keep_order(rid)
      redis.call('HDEL', job, 'failure', 'begun_ms')
      clear(rid, 'unpaid')
      back_to_queue(rid)
      resubmitted[#resubmitted + 1] = rid
    end
  end
end

local queued = 0
for _, batch in ipairs(redis.call('LRANGE', key('ring'), 0, -1)) do
  queued = queued + redis.call('LLEN', key('queued', batch))
end
if #redriven + #resubmitted > 0 then notify('wakeups', 64) end
local reply = { queued, redriven, unknown, resubmitted, redis.call('EXISTS', key('broken')), redis.call('HGET', key('gate'), 'paused') or '' }
if #redriven + #unknown + #resubmitted > 0 then redis.call('SET', key('once', ARGV[4]), cjson.encode(reply), 'PX', 600000) end
return reply
