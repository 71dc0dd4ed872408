import pickle,sys,time,collections,math
combos,res,fac=pickle.load(open(sys.argv[1],'rb'))
CAPF=int(sys.argv[2]);CAPP=int(sys.argv[3]);OVER=float(sys.argv[4]);JOIN=float(sys.argv[5]);verbose=len(sys.argv)>6
LONG,BEAM,MOST=3,10,8
def klass(s):
    q,call,kind,got,ratio,msg=s
    if got and got.startswith('raised'): return got.split(':')[0]
    if got is not None: return 'form'
    return 'wrong'
LG=[math.lgamma(i+1)/math.log(2) for i in range(3000)]
L2=[math.log2(i+1) for i in range(3000)]
def exc(f,p): 
    t=f+p
    return L2[t]+LG[t]-LG[f]-LG[p] if t else 0.
def even(xs,k):
    if len(xs)<=k: return xs
    return [xs[int((i+.5)*len(xs)/k)] for i in range(k)]
class Pool:
    def __init__(self,reqs): # req -> (failing rows, passing rows)
        self.reqs=list(reqs); self.names=sorted(set().union(*[f for r in reqs for f in reqs[r][0]]))
        off=0; self.fm=[];self.pm=[]
        self.F=[];self.P=[]
        for r in self.reqs:
            f,p=reqs[r]
            self.F.append((off,len(f))); off+=len(f)
        flat=[x for r in self.reqs for x in reqs[r][0]]; flatp=[x for r in self.reqs for x in reqs[r][1]]
        def bits(name,l): 
            return int(''.join('1' if name in x else '0' for x in reversed(l)) or '0',2)
        self.fb=[bits(n,flat) for n in self.names]; self.pb=[bits(n,flatp) for n in self.names]
        self.fr=[];self.pr=[];a=b=0
        for r in self.reqs:
            f,p=len(reqs[r][0]),len(reqs[r][1])
            self.fr.append((((1<<f)-1)<<a,f));self.pr.append((((1<<p)-1)<<b,p));a+=f;b+=p
        self.cost=math.log2(len(self.names)+1)
        self.n=len(self.reqs)
        self.allf=(1<<a)-1; self.allp=(1<<b)-1
    def gain(self,f,p,cf,cp,cur):
        g=0;opt=[]
        for i in range(self.n):
            mf,nf=self.fr[i]
            x=f&mf
            if not x & ~cf[i]: continue
            mp,np_=self.pr[i]
            nfi=(x|cf[i]).bit_count(); npi=((p&mp)|cp[i]).bit_count()
            d=cur[i]-exc(nfi,npi)-exc(nf-nfi,np_-npi)-JOIN
            if d>0: g+=d;opt.append(i)
        return g,opt
    def run(self):
        cf=[0]*self.n;cp=[0]*self.n
        cur=[exc(self.fr[i][1],self.pr[i][1]) for i in range(self.n)]
        rules=[]
        while len(rules)<MOST:
            best=None;beam=[((),self.allf,self.allp)]
            for _ in range(LONG):
                seen={}
                for facts,f,p in beam:
                    for k in range(len(self.names)):
                        if k in facts: continue
                        key=tuple(sorted(facts+(k,)))
                        if key in seen: continue
                        nf,np_=f&self.fb[k],p&self.pb[k]
                        if nf.bit_count()<2: continue
                        g,o=self.gain(nf,np_,cf,cp,cur)
                        seen[key]=(g-len(key)*self.cost,key,nf,np_,o)
                sc=sorted(seen.values(),key=lambda x:(-x[0],x[1]))[:BEAM]
                if not sc: break
                if best is None or sc[0][0]>best[0]: best=sc[0]
                beam=[(x[1],x[2],x[3]) for x in sc]
            if best is None or best[0]<(OVER if rules else 0): break
            g,key,f,p,o=best
            for i in o:
                cf[i]|=f&self.fr[i][0]; cp[i]|=p&self.pr[i][0]
                cur[i]=exc(cf[i].bit_count(),cp[i].bit_count())+exc(self.fr[i][1]-cf[i].bit_count(),self.pr[i][1]-cp[i].bit_count())
            rules.append((key,f,p,o,g))
        return rules
def analyse(c):
    cl=[]
    byk=collections.defaultdict(dict)
    for r,rows in res[c].items():
        bad=[x for x in rows if x[2]]
        if not bad: continue
        good=even([x for x in rows if not x[2] and x[3]<.25],CAPP)
        for k in {klass(x[2]) for x in bad}:
            byk[k][r]=(even([x for x in bad if klass(x[2])==k],CAPF),good)
    for k,reqs in sorted(byk.items()):
        P=Pool({r:([fac[r][x[0]][x[1]] for x in f],[fac[r][x[0]][x[1]] for x in g]) for r,(f,g) in reqs.items()})
        rules=P.run()
        groups=[(frozenset(P.names[i] for i in key),[]) for key,*_ in rules]; rest=[]
        for i,r in enumerate(P.reqs):
            mine=[j for j,x in enumerate(rules) if i in x[3]]
            taken=set()
            rows=reqs[r][0]
            left=list(range(len(rows)))
            for j in mine+[j for j in range(len(rules)) if j not in mine]:
                own=[a for a in left if groups[j][0]<=fac[r][rows[a][0]][rows[a][1]]]
                if not own: continue
                if j not in mine and len(own)<len(left): pass
                left=[a for a in left if a not in own]
                groups[j][1].append((r,[rows[a] for a in own],j in mine))
            if left: rest.append((r,[rows[a] for a in left],not mine))
        whole=[x for x in rest if x[2]]
        part=[x for x in rest if not x[2]]
        for s,m in groups:
            if m: cl.append((k,s,m))
        # a leftover of a requirement that has a cause counts as that cause's
        if whole: cl.append((k,frozenset(),whole))
        for r,rows,_ in part:
            for kk,s,m in cl:
                if kk==k and any(q==r and o for q,_,o in m): m.append((r,rows,False)); break
    return cl
def who(c,r,x): return frozenset(m for m in c if any(y[0]==x[0] and y[1]==x[1] and y[2] for y in res.get((m,),{}).get(r,[])))
if __name__=='__main__':
  for size in (1,2,3):
    comp=both=merged=ncl=split=0;H=collections.Counter();t=time.time()
    for c in sorted(res):
        if len(c)!=size: continue
        if size==1 and hash(c[0])%1: continue
        vis=set()
        for r,rows in res[c].items():
            sets={m:{(y[0],y[1]) for y in res.get((m,),{}).get(r,[]) if y[2]} for m in c}
            for x in rows:
                if x[2]:
                    w=[m for m in c if (x[0],x[1]) in sets[m]]
                    if len(w)==1: vis.add(w[0])
        if len(vis)<size: continue
        comp+=1
        cl=analyse(c);names=set();m=0;out=[]
        for k,s,mem in cl:
            ws=[]
            for r,rows,own in mem:
                w=max(rows,key=lambda x:(min(x[3],256),-x[0])); ws.append((r,len(rows),who(c,r,w),own))
            ws.sort(key=lambda a:(not a[3],-a[1]))
            lead=ws[0][2]
            ex={next(iter(a[2])) for a in ws if len(a[2])==1}
            m+=len(ex)>1
            if len(lead)==1: names|=lead
            out.append((k,s,ws,lead))
        H[len(cl)]+=1; ncl+=len(cl); merged+=m>0; split+=max(0,len(cl)-size); both+=names==set(c)
        if verbose and (names!=set(c) or m or len(cl)>size):
            print('##',c,'named',len(names),'merged',m,'causes',len(cl))
            for k,s,ws,lead in out:
                print('   --',k,sorted(s),len(ws),collections.Counter(','.join(sorted(a[2])) for a in ws))
                if len(ws)<4 or len({a[2] for a in ws})>1:
                    for a in ws[:9]: print('        ',a[0],a[1],sorted(a[2]),'' if a[3] else '-')
    print(size,'compatible',comp,'all named',both,'with a merged cause',merged,'causes',ncl,'surplus',split,sorted(H.items()),f'{time.time()-t:.0f}s')
