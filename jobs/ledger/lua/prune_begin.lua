-- A batch that has ended, whose files are written and that nobody has opened for so long, is to go; from here on it is no batch any more.
-- ARGV: batch, age in ms, what a person lets go besides ('unknown', 'lost', or both). Returns 'begun', or why it stays.
-- Twice is once: what has begun has begun.
local batch, age, words = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local b = key('batch', batch)
local found = redis.call('HMGET', b, 'pruning', 'created_ms', 'completed_ms', 'opened_ms', 'n:unknown')
if found[1] then return 'begun' end
if not found[2] then return 'gone' end
if not found[3] then return 'open' end
if now - math.max(tonumber(found[3]), tonumber(found[4] or '0')) < age then return 'young' end
if redis.call('ZSCORE', key('active'), batch) then return 'unexported' end
if tonumber(found[5] or '0') > 0 and not has_word(words, 'unknown') then return 'unknown' end
redis.call('HSET', b, 'pruning', words)
redis.call('HSET', key('meta'), 'pruned', 1)
redis.call('SADD', key('pruning'), batch)
redis.call('ZREM', key('batches'), batch)
return 'begun'
