-- Forgets jobs that nobody wants any more, but not that they were bought, and not their tasks.
-- ARGV: batch that is being pruned ('' = jobs that are nobody's), age in ms and words as of prune_begin.lua (without a batch), then row
-- numbers of the batch, whose rows go with them, or request ids. Twice is once: what is gone is gone. Returns how many jobs went.
local batch, age, words = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local b, forgotten = key('batch', batch), 0
if batch ~= '' then
  words = redis.call('HGET', b, 'pruning')
  if not words then return 0 end
end

-- How an ended job is remembered; nil: it is not over, or only a person lets it go; '': nothing of it was ever taken.
local function ended_as(rid, state, failure, tasks)
  if state == 'succeeded' then return 's' end
  if state == 'rejected' then return 'r' end
  if state == 'unknown' then return has_word(words, 'unknown') and 'p' or nil end
  if state == 'failed' then
    local read, told = pcall(cjson.decode, failure or '')
    local named = read and type(told) == 'table' and told.kind or 'unreadable'
    if named == 'bought_before' then return 's' end
    if paid_loss(rid) then return has_word(words, 'lost') and 'p' or nil end
    -- Nobody knows what was.
    if named == 'unreadable' then return has_word(words, 'unknown') and 'p' or nil end
  elseif state ~= 'cancelled' then return nil
  end
  return #tasks > 0 and 'a' or ''
end

local function forget(rid, youngest)
  local job = key('job', rid)
  local found = redis.call('HMGET', job, 'state', 'failure', 'task_id', 'past', 'hint_task', 'finished_ms', 'begun_ms')
  local tasks, ended_ms = {}, tonumber(found[6] or found[7] or now)
  for id in string.gmatch(table.concat({ found[3] or '', found[4] or '', found[5] or '' }, ' '), '%S+') do tasks[#tasks + 1] = id end
  local how = ended_as(rid, found[1], found[2], tasks)
  if not how or ended_ms > youngest then return end
  if how ~= '' then
    local before = recall(rid)
    -- What is there again without its picture was remembered already.
    if how == 's' and found[1] == 'failed' and before then how, ended_ms = before.how, before.ms end
    remember(rid, how, ended_ms, tasks)
  end
  for _, task in ipairs(tasks) do
    if redis.call('HGET', key('tasks'), task) == rid then redis.call('HDEL', key('tasks'), task) end
  end
  release(rid)
  for _, set in ipairs({ 'due', 'retry', 'unknown', 'odd', 'broken' }) do redis.call('ZREM', key(set), rid) end
  redis.call('DEL', job)
  forgotten = forgotten + 1
end

for at = 4, #ARGV do
  local number, rid = ARGV[at], ARGV[at]
  if batch ~= '' then
    local row = redis.call('HGET', key('rows', batch), number)
    rid = row and job_of(row)
    redis.call('HDEL', key('rows', batch), number)
    redis.call('HDEL', key('left', batch), number)
  end
  local refs = rid and redis.call('HGET', key('job', rid), 'refs')
  if refs and batch ~= '' and refers_to(refs, batch) then
    refs = without(refs, batch)
    redis.call('HSET', key('job', rid), 'refs', refs)
    if refs == '' then forget(rid, now) end
  elseif refs == '' and batch == '' then
    redis.call('HSET', key('meta'), 'pruned', 1)
    forget(rid, now - age)
  end
end
return forgotten
