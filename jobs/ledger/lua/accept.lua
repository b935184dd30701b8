-- HiDream has taken the job. ARGV: request id, token, claim, task id, sub-task ids, first poll in ms, lease ms.
-- A worker that was away may come late: it is heard while nobody else has taken the job.
-- Returns {1, now, breaker closed} | {0, state, 0} fenced | {2, other request id, 0} the task id is another job's: both are held.
local rid, token, claim, task = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'op', 'claim', 'hinted', 'was', 'hint_task')
local state = found[1]
if found[2] == token then return { 1, now, 0 } end
local mine = (state == 'submitting' or state == 'unknown') and found[3] == claim
local waits_again = state == 'queued' and not found[3] and found[5] == claim
if not mine and not waits_again then return { 0, state or '', 0 } end

local function hold(id)
  redis.call('HSET', key('job', id), 'failure', cjson.encode({ kind = 'task_shared', retryable = false, owner = 'vendor',
    message = 'HiDream gave the task ' .. task .. ' to two jobs; its pictures cannot be told apart' }))
  redis.call('HDEL', key('job', id), 'claim')
  redis.call('ZREM', key('due'), id)
  release(id)
  redis.call('ZADD', key('unknown'), now, id)
  move(id, 'unknown')
end

redis.call('HSET', job, 'op', token)
if redis.call('HSETNX', key('tasks'), task, rid) == 0 then
  local other = redis.call('HGET', key('tasks'), task)
  if other ~= rid then
    hold(rid)
    local theirs = redis.call('HGET', key('job', other), 'state')
    if theirs == 'submitted' then hold(other) end
    return { 2, other, 0 }
  end
end
-- A callback has named another one: an earlier POST's.
if found[6] and found[6] ~= task then
  keep_id(rid, found[6])
  name_order(rid, found[6])
end
redis.call('HSET', job, 'task_id', task, 'subs', ARGV[5], 'submitted_ms', now, 'polls', 0)
clear(rid, 'named')
redis.call('HSET', key('gate'), 'last_accept', now, 'last_begun', redis.call('HGET', job, 'begun_ms') or now)
redis.call('ZREM', key('retry'), rid)
redis.call('HINCRBY', job, 'attempts', 1)
charge(rid)
redis.call('ZREM', key('posting'), rid)
redis.call('ZREM', key('unknown'), rid)
redis.call('ZADD', key('leases'), now + ARGV[6] + ARGV[7], rid)
redis.call('ZADD', key('due'), found[4] and now or now + ARGV[6], rid)
notify('watch', 8)
move(rid, 'submitted')
return { 1, now, account_answers(rid) }
