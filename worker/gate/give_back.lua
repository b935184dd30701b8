-- Nothing was bought: the job waits again, and no attempt is burnt. It stands at the front, but for one that was turned away
-- before or tripped the breaker: what turns it away may be its own, and the others must get their turn.
-- A callback that named its task meanwhile is believed before the refusal: HiDream is asked about that task.
-- What it means for the account:
-- ARGV: request id, token, claim, effect, why, ms, longest ms, rate window ms, detail of a trip.
-- Effects: 'none' | 'unsent' (close, but not for one job's sake while others are accepted) | 'close' (ms, or a doubling wait when 0; shrinks nothing) | 'throttle' (close and shrink the rate)
-- | 'trip' (open the breaker; ms = first wait for a probe).
-- Returns {1, closed until or 0, opened} or {0, 0, 0} (fenced).
local rid, token, claim, effect, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local job, gate = key('job', rid), key('gate')
local found = redis.call('HMGET', job, 'state', 'op', 'claim', 'hint_task', 'begun_ms')
if found[2] == token then return { 1, 0, 0 } end
if found[3] ~= claim or (found[1] ~= 'queued' and found[1] ~= 'submitting' and found[1] ~= 'unknown') then return { 0, 0, 0 } end
redis.call('HSET', job, 'op', token)
redis.call('ZREM', key('unknown'), rid)
redis.call('HDEL', job, 'failure')
local was_probe = redis.call('HGET', gate, 'probe') == rid
local adopted = adopt(rid, found[4])
-- What was adopted has been paid for; a permit that was not used for it has not.
if not adopted or found[1] == 'queued' then refund(rid) end
if adopted then
  if effect == 'unsent' then effect = 'none' end
elseif effect == 'unsent' then
  local times = redis.call('HINCRBY', job, 'not_sent', 1)
  if times == 1 then redis.call('HSET', job, 'unsent_ms', now) end
  local since = tonumber(redis.call('HGET', job, 'unsent_ms'))
  local others_go = tonumber(redis.call('HGET', gate, 'last_accept') or '0') > since
  if others_go and times >= 5 then
    redis.call('HSET', job, 'finished_ms', now, 'failure', cjson.encode({ kind = 'not_sent', retryable = true, owner = 'ops',
      message = 'It could not be sent though others could: ' .. why }))
    release(rid)
    move(rid, 'failed')
    return { 1, 0, 0 }
  end
  back_to_queue(rid, times > 1)
  effect = others_go and 'none' or 'close'
elseif effect == 'none' then
  back_to_queue(rid)
else
  back_to_queue(rid, effect == 'trip' or redis.call('HINCRBY', job, 'turned_away', 1) > 1)
end

local closed, opened = 0, 0
if effect == 'throttle' or effect == 'close' then
  local wait = tonumber(ARGV[6])
  local before = redis.call('HMGET', gate, 'closed_until', 'closed_at')
  closed = tonumber(before[1] or '0')
  -- What was under way when the gate closed is no news: ten POSTs refused at once double the wait once, not ten times.
  local news = not found[5] or not before[2] or tonumber(found[5]) > tonumber(before[2])
  if wait == 0 and news then
    local busy = redis.call('HINCRBY', gate, 'busy', 1)
    wait = math.min(tonumber(ARGV[7]), 1000 * 2 ^ math.min(busy - 1, 10))
  end
  if wait > 0 then
    closed = math.max(now + wait, closed)
    redis.call('HSET', gate, 'closed_until', closed, 'closed_by', ARGV[4], 'closed_why', why, 'closed_at', now)
  end
  if effect == 'throttle' then
    local window = tonumber(ARGV[8])
    -- One burst of refusals is one piece of news: the rate shrinks once a window.
    if now - tonumber(redis.call('HGET', gate, 'factor_ms') or '0') >= window then
      local factor = math.max(0.1, rate_factor(window) * 0.7)
      -- It climbs from where the closing ends: nothing is tried before.
      redis.call('HSET', gate, 'factor', string.format('%.4f', factor), 'factor_ms', math.max(closed, now))
    end
  end
elseif effect == 'trip' then
  local already = redis.call('HGET', gate, 'breaker')
  if not already or was_probe then opened = open_breaker(why, ARGV[9], tonumber(ARGV[6]), tonumber(ARGV[7])) end
end
if not adopted then release(rid) end
return { 1, closed, opened }
