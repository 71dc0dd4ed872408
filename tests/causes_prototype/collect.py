import pathlib, sys,time,pickle,random,inspect
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from mutants.catalogue import all_mutants
from xent_conformance.judging.evaluation import findings_of, grouped
from xent_conformance.judging.profiles import Settings, problems
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.registry import Level, load
from xent_conformance.causes.factors import factors
profile,npairs,ntriples,part,parts,out=sys.argv[1],int(sys.argv[2]),int(sys.argv[3]),int(sys.argv[4]),int(sys.argv[5]),sys.argv[6]
M={m.name:m for m in all_mutants() if m.backend().capabilities.logits_dtypes==('float32',) and m.twin().__class__.__name__ in('NumpyTwin',)}
opt={r.id for r in load().values() if r.opt_in}
M={n:m for n,m in M.items() if not set(m.killed_by)<=opt}
T=type(next(iter(M.values())).twin())
def own(k):
    d={}
    for c in type(k).__mro__[:type(k).__mro__.index(T)]:
        for n,v in vars(c).items():
            if n.startswith('__') and n!='__init__': continue
            d.setdefault(n,v)
    return d
def compat(a,b):
    A,B=M[a].backend(),M[b].backend()
    x,y=own(A),own(B)
    if A.capabilities!=B.capabilities: return False
    return not set(x)&set(y)
names=sorted(M)
rng=random.Random(0)
def sample(k,n):
    found=[]
    while len(found)<n:
        c=tuple(sorted(rng.sample(names,k)))
        if c not in found and all(compat(a,b) for i,a in enumerate(c) for b in c[:i]): found.append(c)
    return found
combos=sample(2,npairs)+sample(3,ntriples)
singles=sorted({m for c in combos for m in c})
todo=[(s,) for s in singles]+combos
def build(c):
    kinds=[type(M[m].backend()) for m in c]
    k=type('Both',tuple(kinds),{}) if len(kinds)>1 else kinds[0]
    return k('+'.join(c),('float32',))
reqs=[r for r in load().values() if r.level is not Level.OBSERVED and not r.opt_in and not r.once or r.once and r.level is not Level.OBSERVED and not r.opt_in]
res={}  # combo -> req -> list of (example, sub, sigkind, ratio, exercised)
fac={}  # (sourcekey) -> factors
t0=time.time()
S=Settings(profile,0)
def sig(f):
    return (f.quantity,f.call,f.kind,f.got if isinstance(f.got,str) else None,f.ratio,f.message if not isinstance(f.got,float) else None)
groups=list(grouped(reqs).items())
for gi,(src,group) in enumerate(groups):
    if gi%parts!=part: continue
    t1=time.time()
    base=Subject.of(build(todo[0]),'float32')
    plist=[]
    for drawn,recipe in problems(base,src,S):
        p=drawn if group[0].foreign_labels else base.posed(drawn)
        if p is not None: plist.append((p,{}))
    der={}
    for r in group:
        if r.derive is not None: der[r.id]=[[(q,{}) for q in r.derive(p)] for p,_ in plist]
    for r in group:
        fac[r.id]=[[frozenset(factors(q)) for q,_ in (der[r.id][i] if r.id in der else [plist[i]])] for i in range(len(plist))] if (r.id in der) else None
    fb=[factors(p) for p,_ in plist]
    for r in group:
        if fac[r.id] is None: fac[r.id]=[[f] for f in fb]
    subs={c:Subject.of(build(c),'float32') for c in todo}
    for i,(p,sh) in enumerate(plist):
        for c in todo:
            s=subs[c]; tr=Trial(s,p,sh)
            for r in group:
                if r.not_applicable(s) is not None: continue
                trials=[tr] if r.id not in der else [Trial(s,q,h) for q,h in der[r.id][i]]
                for j,t in enumerate(trials):
                    try: fs=findings_of(r,t)
                    except Exception as e:
                        continue
                    fs=[f for f in fs if f.declined is None]
                    bad=[f for f in fs if f.failed]
                    row=res.setdefault(c,{}).setdefault(r.id,[])
                    if bad:
                        w=max(bad,key=lambda f:f.ratio); row.append((i,j,sig(w),w.ratio))
                    elif any(f.exercised for f in fs):
                        row.append((i,j,None,max(f.ratio for f in fs)))
        sh.clear()
        for d in der.values():
            for q,h in d[i]: h.clear()
    print(f'{time.time()-t0:.0f}s {gi}/{len(groups)} {getattr(src,"name",src)} {len(plist)} problems {len(group)} reqs {time.time()-t1:.1f}s',flush=True)
    pickle.dump((combos,res,fac),open(out,'wb'))
