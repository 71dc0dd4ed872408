import pickle,sys,time,collections
from xent_conformance.causes.rules import situations
combos,res,fac=pickle.load(open(sys.argv[1],'rb'))
mode=sys.argv[2] if len(sys.argv)>2 else 'a'
verbose=len(sys.argv)>3
def klass(s):
    q,call,kind,got,ratio,msg=s
    if got and got.startswith('raised'): return got.split(':')[0]
    if got is not None and not got.startswith('raised'): return 'form'
    return 'wrong'
F=collections.namedtuple('F','req klass sit shared n who ex quant left ctx wit')
cache={}
def failures(c):
    if c in cache: return cache[c]
    out=[]
    for r,rows in res[c].items():
        bad=[x for x in rows if x[2]]
        if not bad: continue
        good=[fac[r][x[0]][x[1]] for x in rows if not x[2] and x[3]<.25]
        for k in sorted({klass(x[2]) for x in bad}):
            bb=[x for x in bad if klass(x[2])==k]
            b=[fac[r][x[0]][x[1]] for x in bb]
            ss=situations(b,good)
            ctx=frozenset.intersection(*b,*good)
            for s in ss:
                own=[bb[i] for i in s.failing]
                w=max(own,key=lambda x:(min(x[3],256),-x[0]))
                shared=frozenset.intersection(*[fac[r][x[0]][x[1]] for x in own])
                who=frozenset(m for m in c if any(y[0]==w[0] and y[1]==w[1] and y[2] for y in res.get((m,),{}).get(r,[])))
                qs=frozenset(x[2][0] for x in own)
                out.append(F(r,k,frozenset(s.facts),shared,len(own),who,(w[0],w[1]),qs,not s.facts and len(ss)>1,ctx,fac[r][w[0]][w[1]]))
    cache[c]=out
    return out
SEV={'wrong':1}

GEN=frozenset(['labels','int64 labels'])
def cluster(fs):
    out=[]
    for k in sorted({f.klass for f in fs}):
        out+=cluster1([f for f in fs if f.klass==k])
    return out
def cluster1(fs):
    left=sorted(fs,key=lambda f:(f.left,-f.n,f.req)); cl=[]
    # candidates: full situations
    while True:
        best=None
        for f in left:
            if not f.sit: continue
            full=f.sit|f.ctx
            cov=[g for g in left if full<=g.shared]
            sc=(sum(min(g.n,20) for g in cov),len(cov))
            if best is None or sc>best[0]: best=(sc,f,cov)
        if best is None: break
        _,f,cov=best
        cov=[f]+[g for g in cov if g is not f]
        cl.append((f.sit|f.ctx,cov)); left=[g for g in left if g not in cov]
    rest=[]
    for g in left:
        hold=[c for c in cl if c[0]<=g.wit]
        if hold: max(hold,key=lambda c:len(c[1]))[1].append(g)
        else: rest.append(g)
    cl=[c[1] for c in cl]
    byq={}
    for g in rest: byq.setdefault(0,[]).append(g)
    return cl+list(byq.values())
if __name__=='__main__':
  for size in (1,2,3):
    tot=named=both=0;merged=split=ncl=0;comp=0;bad=[]
    H=collections.Counter()
    for c in sorted(res):
        if len(c)!=size: continue
        # compatible: each mutant visible exclusively in the composite
        vis=set()
        for r,rows in res[c].items():
            sets={m:{(y[0],y[1]) for y in res.get((m,),{}).get(r,[]) if y[2]} for m in c}
            for x in rows:
                if x[2]:
                    w=[m for m in c if (x[0],x[1]) in sets[m]]
                    if len(w)==1: vis.add(w[0])
        if len(vis)<size: continue
        comp+=1
        fs=failures(c); cl=cluster(fs)
        names=set()
        per=collections.Counter()
        m=0
        for k in cl:
            ws=[f.who for f in k]
            excl={next(iter(w)) for w in ws if len(w)==1}
            lead=k[0].who
            if len(excl)>1: m+=1
            names|=excl if False else (lead if len(lead)==1 else set())
            per[tuple(sorted(lead))]+=1
        H[len(cl)]+=1
        ncl+=len(cl); merged+=m>0
        split+=max(0,len(cl)-size)
        both+=names==set(c)
        if verbose and (names!=set(c) or m or len(cl)>size):
            print('##',c,'named',len(names),'merged',m,'causes',len(cl))
            for k in cl:
                print('   --',k[0].klass,k[0].sit,len(k),collections.Counter(','.join(sorted(f.who)) for f in k))
                if len(k)<4 or len({f.who for f in k})>1:
                    for f in k[:6]: print('        ',f.req,f.n,set(f.sit),sorted(f.who))
    print(size,'compatible',comp,'all named',both,'with a merged cause',merged,'causes',ncl,'surplus',split,sorted(H.items()))
