-- Nothing was bought: the job waits again, and no attempt is burnt. It stands at the front, but for one that was turned away
-- before or tripped the breaker: what turns it away may be its own, and the others must get their turn.
-- A callback that named its task meanwhile is believed before the refusal: HiDream is asked about that task.
-- What it means for the account:
-- ARGV: request id, token, claim, effect, why, ms, longest ms, rate window ms, detail of a trip.
-- Effects: 'none' | 'unsent' | 'close' (everybody waits ms, or a doubling wait when 0, but not for one job's sake while others
-- are accepted) | 'replicas' (everybody waits ms) | 'throttle' (everybody waits and the rate shrinks) | 'trip' (open the breaker, `why` is its reason; ms = first wait
-- for a probe; but not for one job's sake either, where the reason may be its own).
-- Returns {1, closed until or 0, opened, failed} or {0, 0, 0, 0} (fenced).
local rid, token, claim, effect, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local job, gate = key('job', rid), key('gate')
local found = redis.call('HMGET', job, 'state', 'op', 'claim', 'hint_task', 'begun_ms')
if found[2] == token then return { 1, 0, 0, 0 } end
if found[3] ~= claim or (found[1] ~= 'queued' and found[1] ~= 'submitting' and found[1] ~= 'unknown') then return { 0, 0, 0, 0 } end
redis.call('HSET', job, 'op', token)
redis.call('ZREM', key('unknown'), rid)
redis.call('HDEL', job, 'failure')
local was_probe = redis.call('HGET', gate, 'probe') == rid
local adopted = adopt(rid, found[4])
-- What was adopted has been paid for.
if not adopted then refund(rid, effect == 'none' or effect == 'replicas') end
-- One that is turned away again and again while others are accepted in between has a trouble of its own, for a person: after so
-- many such tries, or so many in all. Of a rate that is too high every job has its share. Credits and a module are always the
-- account's; a token that is good enough for the others is soon no longer doubted: nobody waits for that one as long as a run does.
local ENOUGH = { unsent = { 5, 12 }, close = { 5, 12 }, throttle = { 50, 500 }, vendor = { 5, 8 }, token = { 5, 4 } }
local trips = effect == 'trip'
local enough = ENOUGH[trips and why or effect]
if adopted then
  if effect == 'unsent' then effect = 'none' end
elseif enough then
  local last = tonumber(redis.call('HGET', job, 'turned_ms') or '0')
  -- Where the account itself is in doubt, only what was begun after the refusal shows that others are taken.
  local others_go = last > 0 and tonumber(redis.call('HGET', gate, trips and 'last_begun' or 'last_accept') or '0') > last
  local tries = redis.call('HINCRBY', job, 'turned_away', 1)
  local passed = redis.call('HINCRBY', job, 'passed', others_go and 1 or 0)
  redis.call('HSET', job, 'turned_ms', now)
  if passed >= enough[1] or (passed > 0 and tries >= enough[2]) then
    local unsent = effect == 'unsent'
    redis.call('HSET', job, 'finished_ms', now, 'failure', cjson.encode({ kind = unsent and 'not_sent' or 'busy', retryable = true,
      owner = unsent and 'ops' or 'vendor', message = (unsent and 'It could not be sent though others could: '
        or 'HiDream turned it away again and again while it took others: ') .. (trips and ARGV[9] or why) }))
    release(rid)
    move(rid, 'failed')
    return { 1, 0, 0, 1 }
  end
  back_to_queue(rid, trips or tries > 1)
  if others_go and effect ~= 'throttle' then effect = 'none' end
else
  back_to_queue(rid, trips)
end

local closed, opened = 0, 0
if effect ~= 'trip' and effect ~= 'none' then
  closed = close_account(effect, why, tonumber(ARGV[6]), tonumber(ARGV[7]), found[5])
  if effect == 'throttle' then shrink_rate(closed, tonumber(ARGV[8])) end
elseif effect == 'trip' then
  local already = redis.call('HGET', gate, 'breaker')
  if not already or was_probe then opened = open_breaker(why, ARGV[9], tonumber(ARGV[6]), tonumber(ARGV[7])) end
end
if not adopted then release(rid) end
return { 1, closed, opened, 0 }
