-- Drops a dead letter for good.
--
-- ARGV[8] -> id of the dead letter
--
-- Returns {1: dropped, 0: there is no such dead letter}
local dropped = call('XDEL', STREAM .. ':dead', ARGV[8])
count_dead()
return {dropped}
