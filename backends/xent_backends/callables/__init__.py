"""A bare callable as a backend: which function it is, what it supports, and how a script calls it.

``attempt``      one trial call: its result, or why the callable rejected the arguments
``batches``      the small batches of trial calls
``calls``        trial calls with these batches
``signature``    the options that its signature names
``ranks``        whether a loss takes images or sequences only
``forms``        which function it is: ``cross_entropy``, or one of four others
``results``      whether its loss comes first in a tuple
``compilation``  whether it is compiled for each new shape or option
``limits``       with how many rows and classes it is called, by the time that they take
``trial``        what a loss of logits supports
``conventions``  which conventions it follows
``alone``        what any other function supports
``script``       the lines of a script that import or define it, and call it
``mixins``       a class of backends for each function that is not ``cross_entropy``
``adapter``      all of these together
"""
