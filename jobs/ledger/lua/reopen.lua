-- A person asks for one more try. ARGV: request id, state it must be in. Returns 1 or 0.
local rid = ARGV[1]
local job = key('job', rid)
if redis.call('HGET', job, 'state') ~= ARGV[2] then return 0 end
redis.call('HDEL', job, 'failure', 'task_id', 'subs', 'urls', 'ended_ms', 'polled_ms', 'unanswered', 'finished_ms', 'submitted_ms', 'task_failures',
  'resubmitted', 'hinted', 'paid_batch', 'paid_day')
redis.call('ZREM', key('unknown'), rid)
back_to_queue(rid)
ring('bell', 64)
return 1
