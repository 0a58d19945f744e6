# One rank of two; the other one is another program.
set file id
set rank 0
nccl-id id file=$file
cudaStreamCreate out=s
ncclCommInitRank nranks=2 id=id rank=$rank out=comm expect=0
ncclAllReduce count=1k dtype=f16 comm=comm stream=s expect=0
cudaStreamSynchronize stream=s expect=0
ncclCommDestroy comm=comm expect=0
